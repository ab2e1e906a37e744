# The layers that every part of MTGFE is made of.
#
# Letters, here and in every other source of the model:
#   B batch   N text tokens   M image tokens, token 0 is [CLS]   H hidden size
#   A heads   d = H / A       F feed-forward width               D filter dimension
#   C channels   S image side in pixels   G grid side            V vocabulary size
#
# This is TorchScript in its serialised form (torch.x is aten::x, dtypes are integers). A line that
# ends in "[i < NAME]" is repeated by ScriptSources for i = 0 .. NAME - 1; nothing else is generated. A
# line for DROPOUT stands in a training archive only, once, with the rate in place of {p}; one for MIXED
# in one that trains in mixed precision, in place of that for WHOLE: 15 is bfloat16, 6 is float32.

class Linear(Module):
  __parameters__ = ["weight", "bias", ]
  __buffers__ = []
  training : bool
  weight : Tensor  # (out, in)
  bias : Tensor    # (out)
  def forward(self: __torch__.nn.Linear, x: Tensor) -> Tensor:
    return torch.linear(x, self.weight, self.bias)  # (..., in) -> (..., out)  # [x in WHOLE]
    y = torch.linear(torch.to(x, 15), torch.to(self.weight, 15), torch.to(self.bias, 15))  # (..., out)  # [x in MIXED]
    return torch.to(y, 6)  # [x in MIXED]

class LayerNorm(Module):
  __parameters__ = ["weight", "bias", ]
  __buffers__ = []
  training : bool
  weight : Tensor  # (H)
  bias : Tensor    # (H)
  eps : float
  def forward(self: __torch__.nn.LayerNorm, x: Tensor) -> Tensor:
    return torch.layer_norm(x, [x.size(-1)], self.weight, self.bias, self.eps)  # (..., H)

class BatchNorm(Module):
  __parameters__ = ["weight", "bias", ]
  __buffers__ = ["running_mean", "running_var", ]
  training : bool
  weight : Tensor        # (C)
  bias : Tensor          # (C)
  running_mean : Tensor  # (C)
  running_var : Tensor   # (C)
  def forward(self: __torch__.nn.BatchNorm, x: Tensor) -> Tensor:
    return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, self.training, 0.10000000000000001, 1.0000000000000001e-05, True)  # (B, C, ...)

class MultiHeadAttention(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  heads : int
  query : __torch__.nn.Linear
  key : __torch__.nn.Linear
  value : __torch__.nn.Linear
  output : __torch__.nn.Linear
  def split(self: __torch__.nn.MultiHeadAttention, x: Tensor) -> Tensor:
    return torch.transpose(torch.view(x, [x.size(0), x.size(1), self.heads, -1]), 1, 2)  # (B, N, H) -> (B, A, N, d)
  # Equations (1) and (2) of the paper. x gives the queries, y the keys and values; where one of them
  # holds a single item it is shared by the whole batch. bias (B or 1, 1, 1, M) is added to the scores.
  def forward(self: __torch__.nn.MultiHeadAttention, x: Tensor, y: Tensor, bias: Optional[Tensor]) -> Tensor:
    q = self.split((self.query).forward(x))  # (B or 1, A, N, d)
    k = self.split((self.key).forward(y))    # (B or 1, A, M, d)
    v = self.split((self.value).forward(y))  # (B or 1, A, M, d)
    if torch.eq(q.size(0), 1):
      q = torch.expand(q, [k.size(0), -1, -1, -1])
    else:
      k = torch.expand(k, [q.size(0), -1, -1, -1])
      v = torch.expand(v, [q.size(0), -1, -1, -1])
    z = torch.scaled_dot_product_attention(q, k, v, bias)                        # (B, A, N, d)
    z = torch.reshape(torch.transpose(z, 1, 2), [q.size(0), x.size(1), x.size(2)])  # (B, N, H)
    return (self.output).forward(z)                                              # (B, N, H)
  # softmax(Q K^T / sqrt(d)) of equation (1), for the heat maps of the paper's figures 6 and 7.
  def weights(self: __torch__.nn.MultiHeadAttention, x: Tensor, y: Tensor) -> Tensor:
    q = self.split((self.query).forward(x))                             # (B or 1, A, N, d)
    k = self.split((self.key).forward(y))                               # (B or 1, A, M, d)
    s = torch.div(torch.matmul(q, torch.transpose(k, 2, 3)), torch.sqrt(q.size(3)))  # (B, A, N, M)
    return torch.softmax(s, -1)                                         # (B, A, N, M)

class FeedForward(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  inner : __torch__.nn.Linear
  outer : __torch__.nn.Linear
  def forward(self: __torch__.nn.FeedForward, x: Tensor) -> Tensor:
    return (self.outer).forward(torch.gelu((self.inner).forward(x)))  # (..., H) -> (..., F) -> (..., H)
