# The text tower f_txt of section 3.1.2: BERT's embeddings and its first layers, post-layer-norm; or, of
# kind MEAN, pre-layer-norm layers with the mean of the tokens in place of [CLS].

class TextLayer(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  attention : __torch__.nn.MultiHeadAttention
  norm1 : __torch__.nn.LayerNorm
  feed_forward : __torch__.nn.FeedForward
  norm2 : __torch__.nn.LayerNorm
  def forward(self: __torch__.text.TextLayer, x: Tensor, bias: Tensor) -> Tensor:
    x = (self.norm1).forward(torch.add(x, (self.attention).forward(x, x, bias)))  # (B, N, H)  # [x in BERT]
    return (self.norm2).forward(torch.add(x, (self.feed_forward).forward(x)))     # (B, N, H)  # [x in BERT]
    y = (self.norm1).forward(x)                                                   # (B, N, H)  # [x in MEAN]
    x = torch.add(x, (self.attention).forward(y, y, bias))                        # (B, N, H)  # [x in MEAN]
    return torch.add(x, (self.feed_forward).forward((self.norm2).forward(x)))     # (B, N, H)  # [x in MEAN]

class TextTower(Module):
  __parameters__ = ["word", "position", ]
  __buffers__ = []
  training : bool
  word : Tensor      # (V, H)
  position : Tensor  # (longest N, H)
  norm : __torch__.nn.LayerNorm
  layer{i} : __torch__.text.TextLayer  # [i < TEXT_LAYERS]
  last : __torch__.nn.LayerNorm  # [x in MEAN]
  # ids (B, N) int64; bias (B, 1, 1, N) is 0 for a token and -10000 for padding.
  def forward(self: __torch__.text.TextTower, ids: Tensor, bias: Tensor) -> Tensor:
    x = torch.embedding(self.word, ids)                                  # (B, N, H)
    x = torch.add(x, torch.slice(self.position, 0, 0, ids.size(1)))      # (B, N, H)
    x = (self.norm).forward(x)                                           # (B, N, H)
    x = torch.dropout(x, {p}, True)  # [p in DROPOUT]
    x = (self.layer{i}).forward(x, bias)  # [i < TEXT_LAYERS]
    x = (self.last).forward(x)                                           # (B, N, H)  # [x in MEAN]
    p = torch.type_as(torch.ge(torch.reshape(bias, [-1, ids.size(1), 1]), -1.), x)  # (B, N, 1), 1 for a token  # [x in MEAN]
    c = torch.div(torch.sum(torch.mul(x, p), [1], True), torch.sum(p, [1], True))   # (B, 1, H)  # [x in MEAN]
    x = torch.cat([c, torch.slice(x, 1, 1)], 1)                          # (B, N, H)  # [x in MEAN]
    return x                                                             # (B, N, H)
