# The fusion encoder f_fusion of section 3.2: text tokens ask, image tokens answer.

class FusionLayer(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  self_attention : __torch__.nn.MultiHeadAttention
  norm1 : __torch__.nn.LayerNorm
  cross_attention : __torch__.nn.MultiHeadAttention
  norm2 : __torch__.nn.LayerNorm
  feed_forward : __torch__.nn.FeedForward
  norm3 : __torch__.nn.LayerNorm
  # x (B or 1, R, H): the R rows wanted of the tokens w (B or 1, N, H); s (B or 1, M, H).
  def read_text(self: __torch__.fusion.FusionLayer, x: Tensor, w: Tensor, bias: Tensor) -> Tensor:
    return (self.norm1).forward(torch.add(x, (self.self_attention).forward(x, w, bias)))  # as x
  def read_image(self: __torch__.fusion.FusionLayer, x: Tensor, s: Tensor) -> Tensor:
    x = (self.norm2).forward(torch.add(x, (self.cross_attention).forward(x, s, None)))    # (B, R, H)
    return (self.norm3).forward(torch.add(x, (self.feed_forward).forward(x)))             # (B, R, H)
  def forward(self: __torch__.fusion.FusionLayer, x: Tensor, w: Tensor, bias: Tensor, s: Tensor) -> Tensor:
    return self.read_image(self.read_text(x, w, bias), s)                                 # (B, R, H)

class FusionEncoder(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  layer{i} : __torch__.fusion.FusionLayer  # [i < FUSION_LAYERS]
  # U = f_fusion(S, W): every row, as masked language modelling needs it.
  def forward(self: __torch__.fusion.FusionEncoder, w: Tensor, bias: Tensor, s: Tensor) -> Tensor:
    u = w                                              # (B or 1, N, H)
    u = (self.layer{i}).forward(u, u, bias, s)  # [i < FUSION_LAYERS]
    return u                                           # (B, N, H)
  # What the first layer does before it looks at an image: needed once for each text, however many images
  # it is paired with.
  def read_text(self: __torch__.fusion.FusionEncoder, w: Tensor, bias: Tensor) -> Tensor:
    return (self.layer0).read_text(w, w, bias)         # (B or 1, N, H)
  # u_cls alone, of texts that read_text has read: the last layer works on one row.
  def cls(self: __torch__.fusion.FusionEncoder, x: Tensor, bias: Tensor, s: Tensor) -> Tensor:
    u = (self.layer0).read_image(x, s)                 # (B, N, H)
    u = (self.layer{i}).forward(u, u, bias, s)  # [i < FUSION_LAYERS_BETWEEN]
    c = torch.slice(u, 1, 0, 1)                        # (B, 1, H)
    return torch.squeeze((self.layer_last).forward(c, u, bias, s), 1)  # (B, H)
  # Word x patch weights of the last layer but one, mean over heads; the paper draws this layer.
  # A single text or image is shared by the batch.
  def attention(self: __torch__.fusion.FusionEncoder, w: Tensor, bias: Tensor, s: Tensor) -> Tensor:
    u = w                                              # (B or 1, N, H)
    u = (self.layer{i}).forward(u, u, bias, s)  # [i < FUSION_LAYERS_BUT_TWO]
    x = (self.layer_drawn).read_text(u, u, bias)       # (B or 1, N, H)
    return torch.mean((self.layer_drawn.cross_attention).weights(x, s), [1])  # (B, N, M)
