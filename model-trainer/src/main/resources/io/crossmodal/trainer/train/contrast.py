# Image-text contrast (CLIP; ALBEF's ITC without momentum).
class Contrast(Module):
  # logits and matches (B, B), image-major; several texts of a batch may match one image, so the target is
  # uniform over them.
  def forward(self, logits: Tensor, matches: Tensor) -> Tensor:
    rows = matches / matches.sum([1], True)     # (B, B)
    columns = matches / matches.sum([0], True)  # (B, B)
    a = (rows * torch.log_softmax(logits, 1)).sum([1]).mean()
    b = (columns * torch.log_softmax(logits, 0)).sum([0]).mean()
    return (a + b) * -0.5

# Image-text contrast with momentum (ALBEF, Li et al. 2021, section 3.2: L_itc, and L_itc^mod by soft > 0).
# K keys: the batch's own B first, then the queue, newest first.
class MomentumContrast(Module):
  soft : float  # alpha, weight of the momentum encoder's own judgement in the target
  # x (B, D) asks, keys (K, D) answer, own (B, D) is what the momentum encoder makes of x's items;
  # matches (B, K) is 1 where they belong together.
  def direction(self, x: Tensor, own: Tensor, keys: Tensor, matches: Tensor, scale: Tensor) -> Tensor:
    logits = x @ keys.t() * scale                               # (B, K)
    judged = torch.softmax(own @ keys.t() * scale.detach(), 1)  # (B, K)
    given = matches / matches.sum([1], True)                    # (B, K)
    target = judged * self.soft + given * (1. - self.soft)      # (B, K)
    return -(target * torch.log_softmax(logits, 1)).sum([1]).mean()
  # e, t (B, D): image and text embeddings; keys (2, K, D): of images, of texts; matches (2, B, K): image by
  # text key, text by image key.
  def forward(self, e: Tensor, t: Tensor, keys: Tensor, matches: Tensor, scale: Tensor) -> Tensor:
    images = keys[0]  # (K, D)
    texts = keys[1]   # (K, D)
    b = e.size(0)
    i2t = self.direction(e, images[:b], texts, matches[0], scale)
    t2i = self.direction(t, texts[:b], images, matches[1], scale)
    return (i2t + t2i) * 0.5
