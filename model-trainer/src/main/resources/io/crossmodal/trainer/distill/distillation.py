# Section 3.4: the fusion encoder teaches a bi-encoder and an MLP pre-ranker, which see class tokens only.
# Q texts, each with K candidate images of which the first is its own.

class Distillation(Module):
  filter : __torch__.mtgfe.Filter
  mlp : __torch__.mtgfe.FilterMlp
  contrast : __torch__.contrast.Contrast
  alpha : float
  contrast_weight : float

  # The bi-encoder's scale, with a gradient beyond its bound: a temperature that overshot must come back, as
  # in training.py.
  def scale(self) -> Tensor:
    l = self.filter.log_scale                                         # (1)
    return torch.exp(l - torch.relu(l - 4.605170185988092).detach())  # (1), at most 100

  # KL(p_teacher, p_student), mean over the rows; p (R, C) probabilities, z (R, C) logits.
  def divergence(self, p: Tensor, z: Tensor) -> Tensor:
    log_p = torch.log(torch.clamp_min(p, 1e-09))
    return (p * (log_p - torch.log_softmax(z, 1))).sum([1]).mean()

  # The dot product learns the teacher's order of each text's candidates: listwise KL, which unlike the
  # KL of single scores teaches how hard negatives are ordered (2407.07479).
  def listwise(self, t: Tensor, e: Tensor, ranking: Tensor) -> Tensor:
    s = (e * t.unsqueeze(1)).sum([2])  # (Q, K)
    return self.divergence(torch.softmax(ranking, 1), s * self.scale())

  # w (Q, H), v (Q, K, H): class tokens. itm (Q, K): the teacher's matching logits, ranking (Q, K): the
  # logits it ranks by. labels (Q, K): 1 where the pair belongs together. matches (Q, Q): own images against texts.
  # (5): the sum; listwise, contrast, L_soft and L_hard apart.
  def loss(self, w: Tensor, v: Tensor, itm: Tensor, ranking: Tensor, labels: Tensor, matches: Tensor) -> Tensor:
    t = self.filter.embed_text(w)                           # (Q, D)
    e = self.filter.embed_image(v.flatten(0, 1))            # (QK, D)
    e = e.view(v.size(0), v.size(1), -1)                    # (Q, K, D)
    order = self.listwise(t, e, ranking)
    own = e[:, 0] @ t.t()                                   # (Q, Q)
    contrast = self.contrast.forward(own * self.scale(), matches)
    texts = w.unsqueeze(1).expand(-1, v.size(1), -1)        # (Q, K, H)
    z = self.mlp(v.flatten(0, 1), texts.flatten(0, 1))      # (QK, 2)
    p = torch.sigmoid(itm.flatten())                        # (QK)
    soft = self.divergence(torch.stack([1. - p, p], 1), z)  # L_soft
    hard = torch.cross_entropy_loss(z, labels.flatten())    # L_hard
    dot = order + contrast * self.contrast_weight
    mlp = soft + hard * self.alpha                          # L_distill
    return torch.stack([dot + mlp, order, contrast, soft, hard], 0)

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS
