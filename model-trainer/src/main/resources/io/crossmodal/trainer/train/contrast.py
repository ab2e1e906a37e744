# Image-text contrast (CLIP; ALBEF's ITC without queue).
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
