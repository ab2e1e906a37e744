# A model of sensors alone: a tower each, one space, no text and no fusion encoder (SS-CM-RSIR). Its
# methods are named as those of mtgfe.py.
#
# B batch   C channels   S image side in pixels   M tokens, token 0 is [CLS]   H hidden size
# D filter dimension

class Projection(Module):
  image : __torch__.nn.Linear
  # A sensor's own head is the end of its tower: pool and layer norm, or a ViT's last norm.
  def embed_image(self, cls: Tensor) -> Tensor:
    e = self.image(cls)                                             # (B, D)
    return e / torch.clamp_min(torch.norm(e, 2, [1], True), 1e-06)  # (B, D), length 1

class Sensors(Module):
  image_{sensor} : __torch__.image.IMAGE_TOWER  # [sensor in SENSORS]
  filter : __torch__.sensors.Projection
  def encode_image_{sensor}(self, pixels: Tensor) -> Tensor:  # [sensor in SENSORS]
    return self.image_{sensor}(pixels)                              # (B, C, S, S) -> (B, M, H)  # [sensor in SENSORS]
  # The tower in two parts, for a training that leaves the first as it is.  # [x in CUT]
  def image_bottom_{sensor}(self, pixels: Tensor) -> Tensor:  # [sensor in CUT_SENSORS]
    return self.image_{sensor}.bottom(pixels)    # (B, C, S, S) -> (B, 2G, 2G, C)  # [sensor in CUT_SENSORS]
  def encode_image_from_{sensor}(self, features: Tensor) -> Tensor:  # [sensor in CUT_SENSORS]
    return self.image_{sensor}.top(features)     # (B, 2G, 2G, C) -> (B, M, H)  # [sensor in CUT_SENSORS]
  def filter_image(self, cls: Tensor) -> Tensor:
    return self.filter.embed_image(cls)                             # (B, H) -> (B, D)
  def forward(self, cls: Tensor) -> Tensor:
    return self.filter_image(cls)                                   # (B, D)
