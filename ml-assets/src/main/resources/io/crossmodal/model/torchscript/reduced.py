# A model in half precision behind the methods of mtgfe.Mtgfe, which take and give 32-bit floats (6).
# DTYPE is 15, bfloat16, or 5, float16.

class Reduced(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  model : __torch__.mtgfe.Mtgfe
  def encode_text(self: __torch__.reduced.Reduced, ids: Tensor, mask: Tensor) -> Tensor:
    return torch.to((self.model).encode_text(ids, torch.to(mask, DTYPE)), 6)
  def encode_image_{sensor}(self: __torch__.reduced.Reduced, pixels: Tensor) -> Tensor:  # [sensor in SENSORS]
    return torch.to((self.model).encode_image_{sensor}(torch.to(pixels, DTYPE)), 6)  # [sensor in SENSORS]
  def filter_text(self: __torch__.reduced.Reduced, cls: Tensor) -> Tensor:
    return torch.to((self.model).filter_text(torch.to(cls, DTYPE)), 6)
  def filter_image(self: __torch__.reduced.Reduced, cls: Tensor) -> Tensor:
    return torch.to((self.model).filter_image(torch.to(cls, DTYPE)), 6)
  def score(self: __torch__.reduced.Reduced, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    return torch.to((self.model).score(torch.to(text, DTYPE), torch.to(mask, DTYPE), torch.to(image, DTYPE), owner), 6)
  def filter_mlp(self: __torch__.reduced.Reduced, v: Tensor, w: Tensor) -> Tensor:  # [x in FILTER_MLP]
    return torch.to((self.model).filter_mlp(torch.to(v, DTYPE), torch.to(w, DTYPE)), 6)  # [x in FILTER_MLP]
  def attention(self: __torch__.reduced.Reduced, text: Tensor, mask: Tensor, image: Tensor) -> Tensor:
    return torch.to((self.model).attention(torch.to(text, DTYPE), torch.to(mask, DTYPE), torch.to(image, DTYPE)), 6)
  def forward(self: __torch__.reduced.Reduced, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    return self.score(text, mask, image, owner)
