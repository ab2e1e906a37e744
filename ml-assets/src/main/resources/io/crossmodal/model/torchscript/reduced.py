# A model in half precision behind the methods of mtgfe.Mtgfe, which take and give 32-bit floats (6).
# DTYPE is 15, bfloat16, or 5, float16. Letters as in mtgfe.py.

class Reduced(Module):
  model : __torch__.mtgfe.Mtgfe
  def encode_text(self, ids: Tensor, mask: Tensor) -> Tensor:
    return self.model.encode_text(ids, mask.to(DTYPE)).to(6)  # (T, N) -> (T, N, H)
  def encode_image_{sensor}(self, pixels: Tensor) -> Tensor:  # [sensor in SENSORS]
    return self.model.encode_image_{sensor}(pixels.to(DTYPE)).to(6)  # (B, C, S, S) -> (B, M, H)  # [sensor in SENSORS]
  def store(self, image: Tensor) -> Tensor:  # [x in STORED]
    return self.model.store(image.to(DTYPE)).to(6)            # (B, M, H) -> (B, K, T)  # [x in STORED]
  def filter_text(self, cls: Tensor) -> Tensor:
    return self.model.filter_text(cls.to(DTYPE)).to(6)        # (T, H) -> (T, D)
  def filter_image(self, cls: Tensor) -> Tensor:
    return self.model.filter_image(cls.to(DTYPE)).to(6)       # (B, H) -> (B, D)
  def score(self, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:  # [x in FUSION]
    return self.model.score(text.to(DTYPE), mask.to(DTYPE), image.to(DTYPE), owner).to(6)  # (B, 2)  # [x in FUSION]
  def filter_mlp(self, v: Tensor, w: Tensor) -> Tensor:  # [x in FILTER_MLP]
    return self.model.filter_mlp(v.to(DTYPE), w.to(DTYPE)).to(6)  # (B, 2)  # [x in FILTER_MLP]
  def attention(self, text: Tensor, mask: Tensor, image: Tensor) -> Tensor:  # [x in FUSION]
    return self.model.attention(text.to(DTYPE), mask.to(DTYPE), image.to(DTYPE)).to(6)  # (B, N, M)  # [x in FUSION]
  def forward(self, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:  # [x in FUSION]
    return self.score(text, mask, image, owner)               # (B, 2)  # [x in FUSION]
  def forward(self, w: Tensor, v: Tensor) -> Tensor:  # [x in TOWERS_ALONE]
    return self.model.filter_logits(w.to(DTYPE), v.to(DTYPE)).to(6)  # (T, B)  # [x in TOWERS_ALONE]
