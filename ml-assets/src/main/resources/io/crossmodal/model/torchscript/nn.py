# The layers that every part of MTGFE is made of.
#
# B batch   N text tokens, or rows that ask   M image tokens, token 0 is [CLS]   H hidden size
# A heads   d = H / A   F feed-forward width   C channels   B1: B, or 1 that the batch shares
#
# This is TorchScript as an archive holds it: libtorch reads it, so attributes have full type names,
# dtypes are integers, a module that is called has __call__, and one that is the root of an archive
# has forward. It has no loops over layers: ScriptSources repeats a line that ends in "[i < NAME]"
# for i = 0 .. NAME - 1, and generates nothing else. A line for DROPOUT stands in a training archive
# only, with the rate in place of {p}; one for MIXED in one that trains in mixed precision, in place
# of that for WHOLE. 15 is bfloat16, 6 is float32.

class Linear(Module):
  __parameters__ = ["weight", "bias"]
  weight : Tensor  # (out, in)
  bias : Tensor    # (out)
  def __call__(self, x: Tensor) -> Tensor:
    return torch.linear(x, self.weight, self.bias)  # (..., in) -> (..., out)  # [x in WHOLE]
    y = torch.linear(x.to(15), self.weight.to(15), self.bias.to(15))  # (..., in) -> (..., out)  # [x in MIXED]
    return y.to(6)                                                    # (..., out)  # [x in MIXED]

class LayerNorm(Module):
  __parameters__ = ["weight", "bias"]
  weight : Tensor  # (H)
  bias : Tensor    # (H)
  eps : float
  def __call__(self, x: Tensor) -> Tensor:
    return torch.layer_norm(x, [x.size(-1)], self.weight, self.bias, self.eps)  # (..., H)

# With a momentum of 0.1 and an epsilon of 1e-5.
class BatchNorm(Module):
  __parameters__ = ["weight", "bias"]
  __buffers__ = ["running_mean", "running_var"]
  training : bool
  weight : Tensor        # (C)
  bias : Tensor          # (C)
  running_mean : Tensor  # (C)
  running_var : Tensor   # (C)
  def __call__(self, x: Tensor) -> Tensor:
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
        self.training, 0.1, 1e-05, True)  # (B, C, ...)

class MultiHeadAttention(Module):
  heads : int
  query : __torch__.nn.Linear
  key : __torch__.nn.Linear
  value : __torch__.nn.Linear
  output : __torch__.nn.Linear
  def split(self, x: Tensor) -> Tensor:
    return x.view(x.size(0), x.size(1), self.heads, -1).transpose(1, 2)  # (B1, N, H) -> (B1, A, N, d)
  # Equations (1) and (2) of the paper. x (B1, N, H) gives the queries, y (B1, M, H) keys and values;
  # bias (B1, 1, 1, M) is added to the scores.
  def __call__(self, x: Tensor, y: Tensor, bias: Optional[Tensor]) -> Tensor:
    q = self.split(self.query(x))                                 # (B1, A, N, d)
    k = self.split(self.key(y))                                   # (B1, A, M, d)
    v = self.split(self.value(y))                                 # (B1, A, M, d)
    if q.size(0) == 1:
      q = q.expand(k.size(0), -1, -1, -1)                         # (B, A, N, d)
    else:
      k = k.expand(q.size(0), -1, -1, -1)                         # (B, A, M, d)
      v = v.expand(q.size(0), -1, -1, -1)                         # (B, A, M, d)
    return self.mix(q, k, v, bias)                                # (B, N, H)
  # q (B, A, N, d), k and v (B, A, M, d)
  def mix(self, q: Tensor, k: Tensor, v: Tensor, bias: Optional[Tensor]) -> Tensor:
    z = torch.scaled_dot_product_attention(q, k, v, bias)         # (B, A, N, d)
    return self.output(z.transpose(1, 2).flatten(2))              # (B, N, H)
  # The same for keys and values y_k and y_v (B, M, H) that are projected already.  # [x in TRAINED]
  def read(self, x: Tensor, y_k: Tensor, y_v: Tensor) -> Tensor:  # [x in TRAINED]
    return self.mix(self.split(self.query(x)), self.split(y_k), self.split(y_v), None)  # (B, N, H)  # [x in TRAINED]
  # The same with BERT's dropout, of the weights and of what comes out.  # [p in LAYER_DROPOUT]
  def dropping(self, x: Tensor, y_k: Tensor, y_v: Tensor, bias: Optional[Tensor]) -> Tensor:  # [p in LAYER_DROPOUT]
    q, k, v = self.split(self.query(x)), self.split(y_k), self.split(y_v)  # [p in LAYER_DROPOUT]
    z = torch.scaled_dot_product_attention(q, k, v, bias, {p})    # (B, A, N, d)  # [p in LAYER_DROPOUT]
    return torch.dropout(self.output(z.transpose(1, 2).flatten(2)), {p}, True)  # (B, N, H)  # [p in LAYER_DROPOUT]
  # softmax(Q K^T / sqrt(d)) of equation (1), for the heat maps of the paper's figures 6 and 7.
  def weights(self, x: Tensor, y: Tensor) -> Tensor:
    q = self.split(self.query(x))                                 # (B1, A, N, d)
    k = self.split(self.key(y))                                   # (B1, A, M, d)
    s = q @ k.transpose(2, 3) / torch.sqrt(q.size(3))             # (B, A, N, M)
    return torch.softmax(s, -1)                                   # (B, A, N, M)

class FeedForward(Module):
  inner : __torch__.nn.Linear
  outer : __torch__.nn.Linear
  def __call__(self, x: Tensor) -> Tensor:
    return self.outer(torch.gelu(self.inner(x)))  # (..., H) -> (..., F) -> (..., H)

# Positions p (1, G * G, H) for a grid of g x g tokens: a run may have smaller images than the model will
# serve.
def positions(p: Tensor, g: int) -> Tensor:
  full = int(torch.sqrt(p.size(1)))                         # G
  if full != g:
    q = p.transpose(1, 2).reshape(1, p.size(2), full, full)  # (1, H, G, G)
    q = torch.upsample_bilinear2d(q, [g, g], False)         # (1, H, g, g)
    p = q.flatten(2).transpose(1, 2)                        # (1, g * g, H)
  return p                                                  # (1, g * g, H)
