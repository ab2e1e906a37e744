# The momentum encoder of ALBEF, section 3.2: the model whose weights are the moving average of those in training.
# Letters as in nn.py.

class Momentum(Module):
  model : __torch__.mtgfe.Mtgfe
  # (2, B, D): embeddings of images and of texts. pixels may hold second views behind the B first ones.
  def keys(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    s = self.model.encode_image_SENSOR(pixels[:ids.size(0)])  # (B, M, H)
    w = self.model.encode_text(ids, mask)                     # (B, N, H)
    e = self.model.filter_image(s[:, 0])                      # (B, D)
    t = self.model.filter_text(w[:, 0])                       # (B, D)
    return torch.stack([e, t], 0)                             # (2, B, D)

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS
