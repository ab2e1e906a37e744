# A model of sensors alone: a tower each, one space, no text and no fusion encoder (SS-CM-RSIR).
# Its methods are named as those of mtgfe.py.

class Projection(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  image : __torch__.nn.Linear
  # A sensor's own head is the end of its tower: pool and layer norm, or a ViT's last norm.
  def embed_image(self: __torch__.sensors.Projection, cls: Tensor) -> Tensor:
    e = (self.image).forward(cls)                                                                   # (B, D)
    return torch.div(e, torch.clamp_min(torch.norm(e, 2, [1], True), 9.9999999999999995e-07))       # (B, D)

class Sensors(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  image_{sensor} : __torch__.image.IMAGE_TOWER  # [sensor in SENSORS]
  filter : __torch__.sensors.Projection
  def encode_image_{sensor}(self: __torch__.sensors.Sensors, pixels: Tensor) -> Tensor:  # [sensor in SENSORS]
    return (self.image_{sensor}).forward(pixels)         # (B, C, S, S) -> (B, M, H)  # [sensor in SENSORS]
  def filter_image(self: __torch__.sensors.Sensors, cls: Tensor) -> Tensor:
    return (self.filter).embed_image(cls)              # (B, H) -> (B, D)
  def forward(self: __torch__.sensors.Sensors, cls: Tensor) -> Tensor:
    return self.filter_image(cls)
