# The layers of both of CLIP's towers (Radford et al. 2021): pre-layer-norm, of a tower's own width.
#
# B batch   N tokens   W width of the tower   F feed-forward width

class FeedForward(Module):
  quick : int
  inner : __torch__.nn.Linear
  outer : __torch__.nn.Linear
  # GELU by the error function, or where quick is 1 x sigmoid(1.702 x), as the weights were trained.
  def activate(self, x: Tensor) -> Tensor:
    return x * torch.sigmoid(x * 1.702) if self.quick == 1 else torch.gelu(x)  # (..., F)
  def __call__(self, x: Tensor) -> Tensor:
    return self.outer(self.activate(self.inner(x)))  # (..., W) -> (..., F) -> (..., W)

class Layer(Module):
  norm1 : __torch__.nn.LayerNorm
  attention : __torch__.nn.MultiHeadAttention
  norm2 : __torch__.nn.LayerNorm
  feed_forward : __torch__.clip.FeedForward
  # bias (1, 1, N, N) hides what a token may not see.
  def __call__(self, x: Tensor, bias: Optional[Tensor]) -> Tensor:
    y = self.norm1(x)                            # (B, N, W)
    x = x + self.attention(y, y, bias)           # (B, N, W)
    return x + self.feed_forward(self.norm2(x))  # (B, N, W)
