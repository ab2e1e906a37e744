# The momentum encoder of ALBEF, section 3.2: the model whose weights are the moving average of those in training.
# Letters as in nn.py.

class Momentum(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  model : __torch__.mtgfe.Mtgfe
  # (2, B, D): embeddings of images and of texts. pixels may hold second views behind the B first ones.
  def keys(self: __torch__.momentum.Momentum, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    s = (self.model).encode_image_SENSOR(torch.slice(pixels, 0, 0, ids.size(0)))  # (B, M, H)
    w = (self.model).encode_text(ids, mask)                                       # (B, N, H)
    e = (self.model).filter_image(torch.select(s, 1, 0))                          # (B, D)
    t = (self.model).filter_text(torch.select(w, 1, 0))                           # (B, D)
    return torch.stack([e, t], 0)                                                 # (2, B, D)

  def forward(self: __torch__.momentum.Momentum, x: Tensor) -> Tensor:
    return x

  def buffers(self: __torch__.momentum.Momentum) -> List[Tensor]:
    return BUFFERS
