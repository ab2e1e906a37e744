# The towers and the filter without a fusion encoder, as CLIP is. Its methods are named as those of
# mtgfe.py, and it has the class's name, as what wraps a model has it.
#
# B batch of images   T texts   N text tokens   M image tokens, token 0 is [CLS]
# C channels   S image side in pixels   H hidden size   D filter dimension

class Mtgfe(Module):
  text : __torch__.text.TextTower
  image_{sensor} : __torch__.image.IMAGE_TOWER  # [sensor in SENSORS]
  filter : __torch__.mtgfe.Filter
  # mask (T, N): 1 for a token, 0 for padding. -10000 stays inside fp16 and underflows to 0 in softmax.
  def encode_text(self, ids: Tensor, mask: Tensor) -> Tensor:
    bias = (1. - mask[:, None, None]) * -10000.  # (T, 1, 1, N)
    return self.text(ids, bias)                  # (T, N) -> (T, N, H)
  def encode_image_{sensor}(self, pixels: Tensor) -> Tensor:  # [sensor in SENSORS]
    return self.image_{sensor}(pixels)           # (B, C, S, S) -> (B, M, H)  # [sensor in SENSORS]
  def filter_text(self, cls: Tensor) -> Tensor:
    return self.filter.embed_text(cls)           # (T, H) -> (T, D)
  def filter_image(self, cls: Tensor) -> Tensor:
    return self.filter.embed_image(cls)          # (B, H) -> (B, D)
  # The logits of every text with every image, from their class tokens w (T, H) and v (B, H).
  def filter_logits(self, w: Tensor, v: Tensor) -> Tensor:
    t = self.filter.embed_text(w)                            # (T, D)
    i = self.filter.embed_image(v)                           # (B, D)
    return t @ i.transpose(0, 1) * self.filter.scale()       # (T, B)
  def forward(self, w: Tensor, v: Tensor) -> Tensor:
    return self.filter_logits(w, v)                          # (T, B)
