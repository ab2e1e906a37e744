# The losses of SS-CM-RSIR (Sumbul, Mueller, Demir 2022) around a model of two sensors, or of one that follows a
# frozen teacher. An exported model leaves all of this behind. Letters as in nn.py; P places of an image, Q earlier
# features.

# (i) Mutual information: NT-Xent over the 2B features of both modalities, in both directions, itself left out.
class MutualInformation(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  temperature : float
  # z (2B, D) holds one modality behind the other; keys (Q, D) are more negatives.
  def forward(self: __torch__.cross_sensor.MutualInformation, z: Tensor, keys: Tensor) -> Tensor:
    n = z.size(0)
    cos = torch.matmul(z, torch.t(torch.cat([z, keys], 0)))                            # (2B, 2B + Q)
    itself = torch.mul(torch.eye(n, cos.size(1)), -10000.)                             # (2B, 2B + Q)
    partner = torch.remainder(torch.add(torch.arange(n), torch.floordiv(n, 2)), n)     # (2B)
    return torch.cross_entropy_loss(torch.add(torch.div(cos, self.temperature), itself), partner)

# (ii) Angular distance of each pair: - mean log(1 + exp(cos(a, b))).
class AngularDistance(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.cross_sensor.AngularDistance, a: Tensor, b: Tensor) -> Tensor:
    cos = torch.sum(torch.mul(a, b), [1])                                              # (B)
    return torch.neg(torch.mean(torch.log1p(torch.exp(cos))))

# (iii) Intra-modal similarity, reconstructed from the abstract (decision 0014): in each modality the k images
# that are most similar to an anchor now, found without labels, and their cosine raised in the form of (ii).
class NearestNeighbours(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  k : int
  # z (B, D) of one modality, keys (Q, D) of the same.
  def forward(self: __torch__.cross_sensor.NearestNeighbours, z: Tensor, keys: Tensor) -> Tensor:
    cos = torch.matmul(z, torch.t(torch.cat([z, keys], 0)))                            # (B, B + Q)
    others = torch.add(cos, torch.mul(torch.eye(z.size(0), cos.size(1)), -10000.))     # (B, B + Q)
    nearest, where, = torch.topk(others, self.k, 1)                                    # (B, k)
    return torch.neg(torch.mean(torch.log1p(torch.exp(nearest))))

# Not of the paper: patch tokens of the same place are alike, of other places and images not. Late interaction
# compares these tokens, and the losses above train [CLS] alone.
class Patches(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  temperature : float
  def unit(self: __torch__.cross_sensor.Patches, x: Tensor, places: Tensor) -> Tensor:
    y = torch.flatten(torch.index_select(x, 1, places), 0, 1)                          # (B * P, H)
    return torch.div(y, torch.clamp_min(torch.norm(y, 2, [1], True), 9.9999999999999995e-07))
  # s, t (B, M, H) tokens of a pair; places (P) token numbers.
  def forward(self: __torch__.cross_sensor.Patches, s: Tensor, t: Tensor, places: Tensor) -> Tensor:
    cos = torch.matmul(self.unit(s, places), torch.t(self.unit(t, places)))            # (B * P, B * P)
    logits = torch.div(cos, self.temperature)
    own = torch.arange(logits.size(0))                                                 # (B * P)
    both = torch.add(torch.cross_entropy_loss(logits, own), torch.cross_entropy_loss(torch.t(logits), own))
    return torch.mul(both, 0.5)

# Not of the paper either: where one side is a frozen teacher's, the other's tokens shall be the teacher's and not
# only be nearest to them, for a fusion encoder that never saw them reads them.
class SameTokens(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  # s, t (B, M, H).
  def forward(self: __torch__.cross_sensor.SameTokens, s: Tensor, t: Tensor) -> Tensor:
    d = torch.sub(s, t)                                                                # (B, M, H)
    return torch.mean(torch.mul(d, d))

class Objective(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  mutual : __torch__.cross_sensor.MutualInformation
  angular : __torch__.cross_sensor.AngularDistance
  neighbours : __torch__.cross_sensor.NearestNeighbours
  patches : __torch__.cross_sensor.Patches
  tokens : __torch__.cross_sensor.SameTokens
  # (6): the weighted sum, and the five losses apart. s, t (B, M, H) are tokens of two views of the same places,
  # e, f (B, D) their features; e_keys, f_keys (Q, D); weights (5) in the order of the losses.
  def forward(self: __torch__.cross_sensor.Objective, s: Tensor, t: Tensor, e: Tensor, f: Tensor, e_keys: Tensor, f_keys: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    none = torch.mul(torch.sum(e), 0.)
    mutual, angular, neighbours, patches, tokens = none, none, none, none, none
    if bool(torch.gt(torch.select(weights, 0, 0), 0.)):
      mutual = (self.mutual).forward(torch.cat([e, f], 0), torch.cat([e_keys, f_keys], 0))
    else:
      pass
    if bool(torch.gt(torch.select(weights, 0, 1), 0.)):
      angular = (self.angular).forward(e, f)
    else:
      pass
    if bool(torch.gt(torch.select(weights, 0, 2), 0.)):
      both = torch.add((self.neighbours).forward(e, e_keys), (self.neighbours).forward(f, f_keys))
      neighbours = torch.mul(both, 0.5)
    else:
      pass
    if bool(torch.gt(torch.select(weights, 0, 3), 0.)):
      patches = (self.patches).forward(s, t, places)
    else:
      pass
    if bool(torch.gt(torch.select(weights, 0, 4), 0.)):
      tokens = (self.tokens).forward(s, t)
    else:
      pass
    all = torch.stack([mutual, angular, neighbours, patches, tokens], 0)               # (5)
    return torch.cat([torch.unsqueeze(torch.sum(torch.mul(all, weights)), 0), all], 0) # (6)

class CrossSensor(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  model : __torch__.sensors.Sensors
  objective : __torch__.cross_sensor.Objective

  # Pairs of two modalities. a (B, C1, S, S), b (B, C2, S, S); keys (2, Q, D). Gives (6) as above and the
  # features (2, B, D).
  def across(self: __torch__.cross_sensor.CrossSensor, a: Tensor, b: Tensor, keys: Tensor, places: Tensor, weights: Tensor) -> List[Tensor]:
    s = (self.model).encode_image_FIRST(a)                                             # (B, M, H)
    t = (self.model).encode_image_SECOND(b)                                            # (B, M, H)
    e = (self.model).filter_image(torch.select(s, 1, 0))                               # (B, D)
    f = (self.model).filter_image(torch.select(t, 1, 0))                               # (B, D)
    losses = (self.objective).forward(s, t, e, f, torch.select(keys, 0, 0), torch.select(keys, 0, 1), places, weights)
    return [losses, torch.detach(torch.stack([e, f], 0))]

  def forward(self: __torch__.cross_sensor.CrossSensor, x: Tensor) -> Tensor:
    return x

  def buffers(self: __torch__.cross_sensor.CrossSensor) -> List[Tensor]:
    return BUFFERS

# A new sensor onto a frozen teacher, whose tokens and features come from outside. The model has the new tower and
# the teacher's projection, which stays as it is.
class Onto(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  model : __torch__.sensors.Sensors
  objective : __torch__.cross_sensor.Objective

  # t (B, M, H) tokens of the teacher, f (B, D) its features; b (B, C, S, S) the same places by the new sensor. The
  # rest, and the answer, as in CrossSensor, the teacher being the first modality.
  def onto(self: __torch__.cross_sensor.Onto, t: Tensor, f: Tensor, b: Tensor, keys: Tensor, places: Tensor, weights: Tensor) -> List[Tensor]:
    s = (self.model).encode_image_SECOND(b)                                            # (B, M, H)
    e = (self.model).filter_image(torch.select(s, 1, 0))                               # (B, D)
    losses = (self.objective).forward(t, s, f, e, torch.select(keys, 0, 0), torch.select(keys, 0, 1), places, weights)
    return [losses, torch.detach(torch.stack([f, e], 0))]

  def forward(self: __torch__.cross_sensor.Onto, x: Tensor) -> Tensor:
    return x

  def buffers(self: __torch__.cross_sensor.Onto) -> List[Tensor]:
    return BUFFERS
