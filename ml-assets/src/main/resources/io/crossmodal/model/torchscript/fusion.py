# The fusion encoder f_fusion of section 3.2: text tokens ask, image tokens answer.
#
# B batch   N text tokens   R rows that are wanted of them   M image tokens, token 0 is [CLS]
# H hidden size   B1: B, or 1 that the batch shares

class FusionLayer(Module):
  self_attention : __torch__.nn.MultiHeadAttention
  norm1 : __torch__.nn.LayerNorm
  cross_attention : __torch__.nn.MultiHeadAttention
  norm2 : __torch__.nn.LayerNorm
  feed_forward : __torch__.nn.FeedForward
  norm3 : __torch__.nn.LayerNorm
  # x (B1, R, H): rows of the tokens w (B1, N, H); bias (B1, 1, 1, N) hides padding.
  def read_text(self, x: Tensor, w: Tensor, bias: Tensor) -> Tensor:
    return self.norm1(x + self.self_attention(x, w, bias))   # (B1, R, H)  # [x in FUSION_WHOLE]
    a = self.self_attention  # [x in FUSION_DROPPING]
    return self.norm1(x + a.dropping(x, a.key(w), a.value(w), bias))  # (B1, R, H)  # [x in FUSION_DROPPING]
  # s (B1, M, H)
  def read_image(self, x: Tensor, s: Tensor) -> Tensor:
    x = self.norm2(x + __torch__.absorbed.attend(self.cross_attention, x, s))  # (B, R, H)  # [x in ABSORBED]
    x = self.norm2(x + self.cross_attention(x, s, None))     # (B, R, H)  # [x in PROJECTED]
    return self.norm3(x + self.feed_forward(x))              # (B, R, H)
  # The same for pairs that share images: of (B) is the image of each, k and v (I, M, H) are projected.  # [x in TRAINED]
  def read_shared(self, x: Tensor, k: Tensor, v: Tensor, of: Tensor) -> Tensor:  # [x in TRAINED]
    k = torch.index_select(k, 0, of)                         # (B, M, H)  # [x in TRAINED]
    v = torch.index_select(v, 0, of)                         # (B, M, H)  # [x in TRAINED]
    x = self.norm2(x + self.cross_attention.read(x, k, v))   # (B, R, H)  # [x in TRAINED_WHOLE]
    return self.norm3(x + self.feed_forward(x))              # (B, R, H)  # [x in TRAINED_WHOLE]
    x = self.norm2(x + self.cross_attention.dropping(x, k, v, None))  # (B, R, H)  # [x in FUSION_DROPPING]
    return self.norm3(x + torch.dropout(self.feed_forward(x), {p}, True))  # (B, R, H)  # [p in FUSION_DROPOUT]
  def __call__(self, x: Tensor, w: Tensor, bias: Tensor, s: Tensor) -> Tensor:
    return self.read_image(self.read_text(x, w, bias), s)    # (B, R, H)

class FusionEncoder(Module):
  text : __torch__.fusion.Entry  # [x in FUSION_ENTRY]
  image : __torch__.fusion.Entry  # [x in FUSION_ENTRY]
  layer{i} : __torch__.fusion.FusionLayer  # [i < FUSION_LAYERS]
  # What the first layer does before it looks at an image: needed once for each text, however many
  # images it is paired with.
  def read_text(self, w: Tensor, bias: Tensor) -> Tensor:
    w = self.text(w)                                         # (B1, N, H)  # [x in FUSION_ENTRY]
    return self.layer0.read_text(w, w, bias)                 # (B1, N, H)
  # u_cls alone, of texts x (B1, N, H) that read_text has read: the last layer works on one row.
  def cls(self, x: Tensor, bias: Tensor, s: Tensor) -> Tensor:
    s = self.image(s)                                        # (B1, M, H)  # [x in FUSION_ENTRY]
    u = self.layer0.read_image(x, s)                         # (B, N, H)
    u = self.layer{i}(u, u, bias, s)                         # (B, N, H)  # [i < FUSION_LAYERS_BETWEEN]
    return self.layer_last(u[:, :1], u, bias, s).squeeze(1)  # (B, H)
  # Keys and values of images s (I, M, H), of all layers: what pairs of the same image share.  # [x in TRAINED]
  def images(self, s: Tensor) -> List[Tensor]:  # [x in TRAINED]
    s = self.image(s)                                        # (I, M, H)  # [x in TRAINED_ENTRY]
    kv = annotate(List[Tensor], [])  # [x in TRAINED]
    _{i} = torch.append(kv, self.layer{i}.cross_attention.key(s))     # (I, M, H)  # [i < FUSION_LAYERS_TRAINED]
    _{i} = torch.append(kv, self.layer{i}.cross_attention.value(s))   # (I, M, H)  # [i < FUSION_LAYERS_TRAINED]
    return kv  # [x in TRAINED]
  # U = f_fusion(S, W): every row, as masked language modelling needs it. of (B) is the image of each pair,  # [x in TRAINED]
  # kv as images gives it.  # [x in TRAINED]
  def __call__(self, w: Tensor, bias: Tensor, kv: List[Tensor], of: Tensor) -> Tensor:  # [x in TRAINED]
    u = w                                                    # (B, N, H)  # [x in TRAINED]
    u = self.text(u)                                         # (B, N, H)  # [x in TRAINED_ENTRY]
    u = self.layer{i}.read_shared(self.layer{i}.read_text(u, u, bias), kv[2 * {i}], kv[2 * {i} + 1], of)  # (B, N, H)  # [i < FUSION_LAYERS_TRAINED]
    return u                                                 # (B, N, H)  # [x in TRAINED]
  # cls for such pairs: x (B, N, H) as read_text gives it.  # [x in TRAINED]
  def cls_shared(self, x: Tensor, bias: Tensor, kv: List[Tensor], of: Tensor) -> Tensor:  # [x in TRAINED]
    u = self.layer0.read_shared(x, kv[0], kv[1], of)         # (B, N, H)  # [x in TRAINED]
    u = self.layer{i}.read_shared(self.layer{i}.read_text(u, u, bias), kv[2 * {i}], kv[2 * {i} + 1], of)  # (B, N, H)  # [i < FUSION_LAYERS_TRAINED_BETWEEN]
    x = self.layer_last.read_text(u[:, :1], u, bias)         # (B, 1, H)  # [x in TRAINED]
    return self.layer_last.read_shared(x, kv[-2], kv[-1], of).squeeze(1)  # (B, H)  # [x in TRAINED]
  # Word x patch weights of the last layer but one, mean over heads; the paper draws this layer.
  def attention(self, w: Tensor, bias: Tensor, s: Tensor) -> Tensor:
    u = w                                                    # (B1, N, H)
    u = self.text(u)                                         # (B1, N, H)  # [x in FUSION_ENTRY]
    s = self.image(s)                                        # (B1, M, H)  # [x in FUSION_ENTRY]
    u = self.layer{i}(u, u, bias, s)                         # (B, N, H)  # [i < FUSION_LAYERS_BUT_TWO]
    x = self.layer_drawn.read_text(u, u, bias)               # (B1, N, H)
    return self.layer_drawn.cross_attention.weights(x, s).mean([1])  # (B, N, M)
