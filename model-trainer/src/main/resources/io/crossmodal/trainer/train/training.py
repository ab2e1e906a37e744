# Losses around the model; an exported model leaves all of this behind.
# Letters as in nn.py.

# The head of masked language modelling (BERT's transform; the decoder is the word embedding).
class MaskedLanguageHead(Module):
  __parameters__ = ["bias", ]
  __buffers__ = []
  training : bool
  dense : __torch__.nn.Linear
  norm : __torch__.nn.LayerNorm
  bias : Tensor  # (V)
  def forward(self: __torch__.training.MaskedLanguageHead, u: Tensor, word: Tensor) -> Tensor:
    x = (self.norm).forward(torch.gelu((self.dense).forward(u)))  # (..., H)
    return torch.linear(x, word, self.bias)                       # (..., V)

# f_proj and f_pred of section 3.3.2 (SimSiam's heads, Chen and He 2021): three layers with batch norm,
# no ReLU behind the last, then two.
class Projector(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  fc1 : __torch__.nn.Linear
  norm1 : __torch__.nn.BatchNorm
  fc2 : __torch__.nn.Linear
  norm2 : __torch__.nn.BatchNorm
  fc3 : __torch__.nn.Linear
  norm3 : __torch__.nn.BatchNorm
  def forward(self: __torch__.training.Projector, u: Tensor) -> Tensor:
    x = torch.relu((self.norm1).forward((self.fc1).forward(u)))  # (B, H)
    x = torch.relu((self.norm2).forward((self.fc2).forward(x)))  # (B, H)
    return (self.norm3).forward((self.fc3).forward(x))           # (B, H)

class Predictor(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  fc1 : __torch__.nn.Linear
  norm : __torch__.nn.BatchNorm
  fc2 : __torch__.nn.Linear
  def forward(self: __torch__.training.Predictor, z: Tensor) -> Tensor:
    x = torch.relu((self.norm).forward((self.fc1).forward(z)))  # (B, H / 4)
    return (self.fc2).forward(x)                                # (B, H)

class MultiViewHead(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  project : __torch__.training.Projector
  predict : __torch__.training.Predictor
  # Equation (4): S(p, z), with equation (6)'s stopgrad on z.
  def similarity(self: __torch__.training.MultiViewHead, p: Tensor, z: Tensor) -> Tensor:
    return torch.mean(torch.cosine_similarity(p, torch.detach(z), 1, 1e-08))  # (1)
  # Equation (6), L_mvjrc. The paper prints it without the minus sign that makes it a loss.
  def forward(self: __torch__.training.MultiViewHead, u1: Tensor, u2: Tensor) -> Tensor:
    z1 = (self.project).forward(u1)  # (B, H)
    z2 = (self.project).forward(u2)  # (B, H)
    p1 = (self.predict).forward(z1)  # (B, H)
    p2 = (self.predict).forward(z2)  # (B, H)
    return torch.mul(torch.add(self.similarity(p1, z2), self.similarity(p2, z1)), -0.5)

class Training(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  model : __torch__.mtgfe.Mtgfe
  mlm : __torch__.training.MaskedLanguageHead
  mvjrc : __torch__.training.MultiViewHead
  contrast : __torch__.contrast.Contrast
  momentum_contrast : __torch__.contrast.MomentumContrast
  itc_weight : float
  itm_weight : float
  mlm_weight : float
  mvjrc_weight : float

  # Equation (7), L_itm. The negative of each image and of each text is drawn by Gumbel-max: noise is
  # Gumbel noise (2, B, B), and a row of `hard` (B, 1) is 1 to draw from softmax(logits) as ALBEF does, 0
  # to draw uniformly as the paper does. Pairs that match are not drawn; an image or text that all of the
  # batch match has no negative, and its label -100 leaves it out. u (B, H) is u_cls of the positives.
  def matching(self: __torch__.training.Training, u: Tensor, w: Tensor, mask: Tensor, s: Tensor, logits: Tensor, matches: Tensor, noise: Tensor, hard: Tensor) -> Tensor:
    forbidden = torch.mul(matches, -10000.)                                                      # (B, B)
    l = torch.detach(logits)
    a = torch.add(torch.add(torch.mul(l, hard), forbidden), torch.select(noise, 0, 0))
    b = torch.add(torch.add(torch.mul(torch.t(l), hard), torch.t(forbidden)), torch.select(noise, 0, 1))
    text = torch.argmax(a, 1)                                                                    # (B)
    image = torch.argmax(b, 1)                                                                   # (B)
    pairs_w = torch.cat([torch.index_select(w, 0, text), w], 0)                                  # (2B, N, H)
    pairs_mask = torch.cat([torch.index_select(mask, 0, text), mask], 0)                         # (2B, N)
    pairs_s = torch.cat([s, torch.index_select(s, 0, image)], 0)                                 # (2B, M, H)
    n = (self.model).join(pairs_w, pairs_mask, pairs_s)                                          # (2B, H)
    z = (self.model.itm).forward(torch.cat([u, n], 0))                                           # (3B, 2)
    no_text = torch.type_as(torch.mul(torch.amin(matches, [1]), -100.), text)                    # (B)
    no_image = torch.type_as(torch.mul(torch.amin(matches, [0]), -100.), image)                  # (B)
    y = torch.cat([torch.ones_like(text), no_text, no_image], 0)                                 # (3B)
    return torch.cross_entropy_loss(z, y)

  # Equation (3), L_mlm. labels (B, N): the id that stood at a masked place, -100 elsewhere.
  def language(self: __torch__.training.Training, masked: Tensor, mask: Tensor, s: Tensor, labels: Tensor) -> Tensor:
    w = (self.model).encode_text(masked, mask)                                                   # (B, N, H)
    u = (self.model.fusion).forward(w, (self.model).bias(mask), s)                               # (B, N, H)
    y = torch.flatten(labels)                                                                    # (B * N)
    at = torch.squeeze(torch.nonzero(torch.ge(y, 0)), 1)                                         # (K), masked
    z = (self.mlm).forward(torch.index_select(torch.flatten(u, 0, 1), 0, at), self.model.text.word)  # (K, V)
    return torch.cross_entropy_loss(z, torch.index_select(y, 0, at))

  # The bi-encoder's scale. Its own clamp has no gradient beyond the bound, so that a temperature which overshot
  # would stay there for good.
  def scale(self: __torch__.training.Training) -> Tensor:
    l = self.model.filter.log_scale                                                              # (1)
    return torch.exp(torch.sub(l, torch.detach(torch.relu(torch.sub(l, 4.6051701859880918)))))   # (1), at most 100

  # L_itc. keys (2, K, D) and key_matches (2, B, K) as in MomentumContrast; K is 0 without momentum.
  def contrastive(self: __torch__.training.Training, e: Tensor, t: Tensor, logits: Tensor, matches: Tensor, keys: Tensor, key_matches: Tensor) -> Tensor:
    if torch.gt(keys.size(1), 0):
      itc = (self.momentum_contrast).forward(e, t, keys, key_matches, self.scale())
    else:
      itc = (self.contrast).forward(logits, matches)
    return itc

  # (5): equation (8)'s sum with L_itc added, and L_itc, L_itm, L_mlm, L_mvjrc apart. pixels holds B
  # images, or 2B where MVJRC takes part: the second views behind the first ones, which all tasks see.
  def loss(self: __torch__.training.Training, pixels: Tensor, ids: Tensor, mask: Tensor, masked: Tensor, labels: Tensor, matches: Tensor, noise: Tensor, hard: Tensor, keys: Tensor, key_matches: Tensor) -> Tensor:
    views = (self.model).encode_image_SENSOR(pixels)                                             # (B or 2B, M, H)
    s = torch.slice(views, 0, 0, ids.size(0))                                                    # (B, M, H)
    w = (self.model).encode_text(ids, mask)                                                      # (B, N, H)
    e = (self.model).filter_image(torch.select(s, 1, 0))                                         # (B, D)
    t = (self.model).filter_text(torch.select(w, 1, 0))                                          # (B, D)
    logits = torch.mul(torch.matmul(e, torch.t(t)), self.scale())                 # (B, B)
    none = torch.mul(torch.sum(logits), 0.)
    itc, itm, mlm, mvjrc, u = none, none, none, none, none
    if torch.gt(self.itc_weight, 0.):
      itc = self.contrastive(e, t, logits, matches, keys, key_matches)
    else:
      pass
    if torch.gt(torch.add(self.itm_weight, self.mvjrc_weight), 0.):
      u = (self.model).join(w, mask, s)                                                          # (B, H)
    else:
      pass
    if torch.gt(self.itm_weight, 0.):
      itm = self.matching(u, w, mask, s, logits, matches, noise, hard)
    else:
      pass
    if torch.gt(self.mlm_weight, 0.):
      mlm = self.language(masked, mask, s, labels)
    else:
      pass
    if torch.gt(self.mvjrc_weight, 0.):
      s2 = torch.slice(views, 0, ids.size(0))                                                    # (B, M, H)
      mvjrc = (self.mvjrc).forward(u, (self.model).join(w, mask, s2))
    else:
      pass
    a = torch.add(torch.mul(itc, self.itc_weight), torch.mul(itm, self.itm_weight))
    b = torch.add(torch.mul(mlm, self.mlm_weight), torch.mul(mvjrc, self.mvjrc_weight))
    return torch.stack([torch.add(a, b), itc, itm, mlm, mvjrc], 0)

  # (5), of which L_itc alone counts: the stage before the other tasks join. Arguments of loss.
  def itc_loss(self: __torch__.training.Training, pixels: Tensor, ids: Tensor, mask: Tensor, masked: Tensor, labels: Tensor, matches: Tensor, noise: Tensor, hard: Tensor, keys: Tensor, key_matches: Tensor) -> Tensor:
    s = (self.model).encode_image_SENSOR(pixels)                                                 # (B, M, H)
    w = (self.model).encode_text(ids, mask)                                                      # (B, N, H)
    e = (self.model).filter_image(torch.select(s, 1, 0))                                         # (B, D)
    t = (self.model).filter_text(torch.select(w, 1, 0))                                          # (B, D)
    logits = torch.mul(torch.matmul(e, torch.t(t)), self.scale())                 # (B, B)
    itc = self.contrastive(e, t, logits, matches, keys, key_matches)
    none = torch.mul(itc, 0.)
    return torch.stack([torch.mul(itc, self.itc_weight), itc, none, none, none], 0)

  def forward(self: __torch__.training.Training, x: Tensor) -> Tensor:
    return x

  def buffers(self: __torch__.training.Training) -> List[Tensor]:
    return BUFFERS
