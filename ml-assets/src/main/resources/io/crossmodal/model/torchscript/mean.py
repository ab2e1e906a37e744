# A text tower for training from scratch: pre-layer-norm layers, and the mean of the tokens in place of
# [CLS].
#
# B batch   N tokens   H hidden size   V vocabulary size

class TextLayer(Module):
  attention : __torch__.nn.MultiHeadAttention
  norm1 : __torch__.nn.LayerNorm
  feed_forward : __torch__.nn.FeedForward
  norm2 : __torch__.nn.LayerNorm
  def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
    y = self.norm1(x)                               # (B, N, H)
    x = x + self.attention(y, y, bias)              # (B, N, H)
    return x + self.feed_forward(self.norm2(x))     # (B, N, H)

class TextTower(Module):
  __parameters__ = ["word", "position"]
  word : Tensor      # (V, H)
  position : Tensor  # (longest N, H)
  norm : __torch__.nn.LayerNorm
  layer{i} : __torch__.text.TextLayer  # [i < TEXT_LAYERS]
  last : __torch__.nn.LayerNorm
  # ids (B, N) int64; bias (B, 1, 1, N) is 0 for a token and -10000 for padding.
  def __call__(self, ids: Tensor, bias: Tensor) -> Tensor:
    x = torch.embedding(self.word, ids)             # (B, N, H)
    x = self.norm(x + self.position[:ids.size(1)])  # (B, N, H)
    x = torch.dropout(x, {p}, True)                 # (B, N, H)  # [p in WORD_DROPOUT]
    x = self.layer{i}(x, bias)                      # (B, N, H)  # [i < TEXT_LAYERS]
    x = self.last(x)                                # (B, N, H)
    real = (bias.reshape(-1, ids.size(1), 1) >= -1.).type_as(x)      # (B, N, 1), 1 for a token
    mean = (x * real).sum([1], True) / real.sum([1], True)           # (B, 1, H)
    return torch.cat([mean, x[:, 1:]], 1)           # (B, N, H)
