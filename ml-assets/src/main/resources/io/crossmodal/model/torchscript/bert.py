# The text tower f_txt of section 3.1.2: BERT's embeddings and its first layers, post-layer-norm. Where
# the embedding is made of the mean of the tokens, as sentence encoders have it, that takes the place of
# [CLS].
#
# B batch   N tokens, token 0 is [CLS]   H hidden size   V vocabulary size

class TextLayer(Module):
  attention : __torch__.nn.MultiHeadAttention
  norm1 : __torch__.nn.LayerNorm
  feed_forward : __torch__.nn.FeedForward
  norm2 : __torch__.nn.LayerNorm
  def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
    x = self.norm1(x + self.attention(x, x, bias))  # (B, N, H)
    return self.norm2(x + self.feed_forward(x))     # (B, N, H)
  # The same with BERT's dropout, for a layer that learns.  # [p in LAYER_DROPOUT]
  def dropping(self, x: Tensor, bias: Tensor) -> Tensor:  # [p in LAYER_DROPOUT]
    a = self.attention  # [p in LAYER_DROPOUT]
    x = self.norm1(x + a.dropping(x, a.key(x), a.value(x), bias))             # (B, N, H)  # [p in LAYER_DROPOUT]
    return self.norm2(x + torch.dropout(self.feed_forward(x), {p}, True))     # (B, N, H)  # [p in LAYER_DROPOUT]

class TextTower(Module):
  __parameters__ = ["word", "position"]
  word : Tensor      # (V, H)
  position : Tensor  # (longest N, H)
  norm : __torch__.nn.LayerNorm
  layer{i} : __torch__.text.TextLayer  # [i < TEXT_LAYERS]
  # ids (B, N) int64; bias (B, 1, 1, N) is 0 for a token and -10000 for padding.
  def __call__(self, ids: Tensor, bias: Tensor) -> Tensor:
    x = torch.embedding(self.word, ids)             # (B, N, H)
    x = self.norm(x + self.position[:ids.size(1)])  # (B, N, H)
    x = torch.dropout(x, {p}, True)                 # (B, N, H)  # [p in WORD_DROPOUT]
    x = self.layer{i}(x, bias)                      # (B, N, H)  # [i in TEXT_LAYERS_WHOLE]
    x = torch.dropout(x, {p}, True)                 # (B, N, H)  # [p in STATES_DROPOUT]
    x = self.layer{i}.dropping(x, bias)             # (B, N, H)  # [i in TEXT_LAYERS_DROPPING]
    real = (bias.reshape(-1, ids.size(1), 1) >= -1.).type_as(x)      # (B, N, 1), 1 for a token  # [x in MEAN_OF_TOKENS]
    mean = (x * real).sum([1], True) / real.sum([1], True)           # (B, 1, H)  # [x in MEAN_OF_TOKENS]
    x = torch.cat([mean, x[:, 1:]], 1)              # (B, N, H)  # [x in MEAN_OF_TOKENS]
    return x                                        # (B, N, H)
