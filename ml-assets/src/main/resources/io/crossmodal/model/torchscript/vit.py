# An image tower f_img of section 3.1.1: the vision transformer ViT-B/16, pre-layer-norm.
#
# B batch   C channels   S image side in pixels   G = S / patch   M = 1 + G * G tokens, token 0 is [CLS]
# H hidden size

class VisionLayer(Module):
  norm1 : __torch__.nn.LayerNorm
  attention : __torch__.nn.MultiHeadAttention
  norm2 : __torch__.nn.LayerNorm
  feed_forward : __torch__.nn.FeedForward
  def __call__(self, x: Tensor) -> Tensor:
    y = self.norm1(x)                            # (B, M, H)
    x = x + self.attention(y, y, None)           # (B, M, H)
    return x + self.feed_forward(self.norm2(x))  # (B, M, H)

class VisionTransformer(Module):
  __parameters__ = ["patch_weight", "patch_bias", "cls", "position"]
  patch : int
  patch_weight : Tensor  # (H, C, patch, patch)
  patch_bias : Tensor    # (H)
  cls : Tensor           # (1, 1, H)
  position : Tensor      # (1, M, H)
  layer{i} : __torch__.image.VisionLayer  # [i < IMAGE_LAYERS]
  norm : __torch__.nn.LayerNorm
  # pixels (B, C, S, S)
  def __call__(self, pixels: Tensor) -> Tensor:
    x = torch.conv2d(pixels, self.patch_weight, self.patch_bias, [self.patch, self.patch])  # (B, H, G, G)
    x = x.flatten(2).transpose(1, 2)                          # (B, G * G, H)
    x = torch.cat([self.cls.expand(x.size(0), -1, -1), x], 1)  # (B, M, H)
    x = x + self.position                                     # (B, M, H)
    x = torch.dropout(x, {p}, True)                           # (B, M, H)  # [p in DROPOUT]
    x = self.layer{i}(x)                                      # (B, M, H)  # [i < IMAGE_LAYERS]
    return self.norm(x)                                       # (B, M, H)
