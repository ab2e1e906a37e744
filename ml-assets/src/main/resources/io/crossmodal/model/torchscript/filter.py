# The bi-encoder's two projections into the space where texts and images are compared, and its temperature.
#
# B batch   H hidden size   D filter dimension

class Filter(Module):
  __parameters__ = ["log_scale"]
  text : __torch__.nn.Linear
  image : __torch__.nn.Linear
  log_scale : Tensor  # (1), log of 1 / temperature
  def unit(self, e: Tensor) -> Tensor:
    return e / torch.clamp_min(torch.norm(e, 2, [1], True), 1e-06)         # (B, D), length 1
  def embed_text(self, cls: Tensor) -> Tensor:
    return self.unit(self.text(cls))                                       # (B, H) -> (B, D)
  def embed_image(self, cls: Tensor) -> Tensor:
    return self.unit(self.image(cls))                                      # (B, H) -> (B, D)
  def scale(self) -> Tensor:
    return torch.exp(torch.clamp_max(self.log_scale, 4.6051701859880918))  # (1), at most 100 as in CLIP
