# Image-text contrast (CLIP; ALBEF's ITC without momentum).
class Contrast(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  # logits and matches (B, B), image-major; several texts of a batch may match one image, so the target is
  # uniform over them.
  def forward(self: __torch__.contrast.Contrast, logits: Tensor, matches: Tensor) -> Tensor:
    rows = torch.div(matches, torch.sum(matches, [1], True))                                     # (B, B)
    columns = torch.div(matches, torch.sum(matches, [0], True))                                  # (B, B)
    a = torch.mean(torch.sum(torch.mul(rows, torch.log_softmax(logits, 1)), [1]))
    b = torch.mean(torch.sum(torch.mul(columns, torch.log_softmax(logits, 0)), [0]))
    return torch.mul(torch.add(a, b), -0.5)

# Image-text contrast with momentum (ALBEF, Li et al. 2021, section 3.2: L_itc, and L_itc^mod by soft > 0).
# K keys: the batch's own B first, then the queue, newest first.
class MomentumContrast(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  soft : float  # alpha, weight of the momentum encoder's own judgement in the target
  # x (B, D) asks, keys (K, D) answer, own (B, D) is what the momentum encoder makes of x's items;
  # matches (B, K) is 1 where they belong together.
  def direction(self: __torch__.contrast.MomentumContrast, x: Tensor, own: Tensor, keys: Tensor, matches: Tensor, scale: Tensor) -> Tensor:
    logits = torch.mul(torch.matmul(x, torch.t(keys)), scale)                                    # (B, K)
    judged = torch.softmax(torch.mul(torch.matmul(own, torch.t(keys)), torch.detach(scale)), 1)  # (B, K)
    given = torch.div(matches, torch.sum(matches, [1], True))                                    # (B, K)
    target = torch.add(torch.mul(judged, self.soft), torch.mul(given, torch.sub(1., self.soft))) # (B, K)
    return torch.neg(torch.mean(torch.sum(torch.mul(target, torch.log_softmax(logits, 1)), [1])))
  # e, t (B, D): image and text embeddings; keys (2, K, D): of images, of texts; matches (2, B, K): image by
  # text key, text by image key.
  def forward(self: __torch__.contrast.MomentumContrast, e: Tensor, t: Tensor, keys: Tensor, matches: Tensor, scale: Tensor) -> Tensor:
    images = torch.select(keys, 0, 0)                                                            # (K, D)
    texts = torch.select(keys, 0, 1)                                                             # (K, D)
    b = e.size(0)
    i2t = self.direction(e, torch.slice(images, 0, 0, b), texts, torch.select(matches, 0, 0), scale)
    t2i = self.direction(t, torch.slice(texts, 0, 0, b), images, torch.select(matches, 0, 1), scale)
    return torch.mul(torch.add(i2t, t2i), 0.5)
