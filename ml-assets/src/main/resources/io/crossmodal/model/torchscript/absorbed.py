# Cross-attention that projects the image to no keys and values (absorption: DeepSeek-V2, DeepSeek-AI 2024,
# section 2.1.2): the query of each head takes in W_k, and what it has read of the image goes through W_v
# afterwards, so that all heads share the image's tokens as keys and values. b_k adds the same to all scores of
# a query, which softmax does not see; b_v passes whole, as weights add up to 1.
#
# Image tokens that are projected are T wide, and so are the queries then.  # [x in NARROW]
# B pairs   N rows that ask   M image tokens   H hidden size   A heads   d = H / A   B1: B, or 1 that all share

# Equations (1) and (2) of the paper for x (B1, N, H) and y (B1, M, H).
def read(attention: __torch__.nn.MultiHeadAttention, x: Tensor, y: Tensor) -> Tensor:
  a, n, h = attention.heads, x.size(1), x.size(2)
  d = h // a
  t = y.size(2)  # [x in NARROW]
  b = max(x.size(0), y.size(0))
  q = attention.query(x).reshape(-1, a, d).transpose(0, 1)              # (A, B1 * N, d)
  q = torch.bmm(q, attention.key.weight.reshape(a, d, {t}))               # (A, B1 * N, H)  # [t in TOKEN]
  q = q.reshape(a, -1, n, {t}).transpose(0, 1).reshape(-1, 1, a * n, {t})   # (B1, 1, A * N, H)  # [t in TOKEN]
  k = y.unsqueeze(1).expand(b, -1, -1, -1)                              # (B, 1, M, H)
  z = torch.scaled_dot_product_attention(q.expand(b, -1, -1, -1), k, k, None, 0., False, scale=1. / torch.sqrt(d))
  z = z.reshape(b, a, n, {t}).transpose(0, 1).reshape(a, b * n, {t})        # (A, B * N, H)  # [t in TOKEN]
  v = attention.value.weight.reshape(a, d, {t}).transpose(1, 2)           # (A, H, d)  # [t in TOKEN]
  z = torch.bmm(z, v).transpose(0, 1).reshape(b, n, h)                  # (B, N, H)
  return attention.output(z + attention.value.bias)                     # (B, N, H)

# The cheaper of both ways, by multiplications: 4NHH + 2ANMH absorbed, 2NHH + 2MHH + 2NMH projected. Absorbed
# moves A * N rows of H values twice, hence the quarter.
# Of T values: 2NHH + 2NHT + 2ANMT absorbed, 2NHH + 2MHT + 2NMH projected.  # [x in NARROW]
def attend(attention: __torch__.nn.MultiHeadAttention, x: Tensor, y: Tensor) -> Tensor:
  a, n, m, h = attention.heads, x.size(1), y.size(1), x.size(2)
  t = y.size(2)  # [x in NARROW]
  if 5 * n * (h + (a - 1) * m) < 4 * m * h:  # [x in WIDE]
  if 5 * n * (h * t + m * (a * t - h)) < 4 * m * h * t:  # [x in NARROW]
    z = __torch__.absorbed.read(attention, x, y)                        # (B, N, H)
  else:
    z = attention(x, y, None)                                           # (B, N, H)
  return z
