# The losses of SS-CM-RSIR (Sumbul, Mueller, Demir 2022) around a model of two sensors, or of one that follows a
# frozen teacher. An exported model leaves all of this behind. Letters as in nn.py; P places of an image, Q earlier
# features.

# (i) Mutual information: NT-Xent over the 2B features of both modalities, in both directions, itself left out.
class MutualInformation(Module):
  temperature : float
  # z (2B, D) holds one modality behind the other; keys (Q, D) are more negatives.
  def forward(self, z: Tensor, keys: Tensor) -> Tensor:
    n = z.size(0)
    cos = z @ torch.cat([z, keys], 0).t()                   # (2B, 2B + Q)
    itself = torch.eye(n, cos.size(1)) * -10000.            # (2B, 2B + Q)
    partner = torch.remainder(torch.arange(n) + n // 2, n)  # (2B)
    return torch.cross_entropy_loss(cos / self.temperature + itself, partner)

# (ii) Angular distance of each pair: - mean log(1 + exp(cos(a, b))).
class AngularDistance(Module):
  def forward(self, a: Tensor, b: Tensor) -> Tensor:
    cos = (a * b).sum([1])  # (B)
    return -torch.log1p(torch.exp(cos)).mean()

# (iii) Intra-modal similarity, reconstructed from the abstract (decision 0014): in each modality the k images
# that are most similar to an anchor now, found without labels, and their cosine raised in the form of (ii).
class NearestNeighbours(Module):
  k : int
  # z (B, D) of one modality, keys (Q, D) of the same.
  def forward(self, z: Tensor, keys: Tensor) -> Tensor:
    cos = z @ torch.cat([z, keys], 0).t()                       # (B, B + Q)
    others = cos + torch.eye(z.size(0), cos.size(1)) * -10000.  # (B, B + Q)
    nearest, where = torch.topk(others, self.k, 1)              # (B, k)
    return -torch.log1p(torch.exp(nearest)).mean()

# Not of the paper: patch tokens of the same place are alike, of other places and images not. Late interaction
# compares these tokens, and the losses above train [CLS] alone.
class Patches(Module):
  temperature : float
  def unit(self, x: Tensor, places: Tensor) -> Tensor:
    y = torch.index_select(x, 1, places).flatten(0, 1)  # (B * P, H)
    return y / torch.clamp_min(torch.norm(y, 2, [1], True), 1e-06)
  # s, t (B, M, H) tokens of a pair; places (P) token numbers.
  def forward(self, s: Tensor, t: Tensor, places: Tensor) -> Tensor:
    cos = self.unit(s, places) @ self.unit(t, places).t()  # (B * P, B * P)
    logits = cos / self.temperature
    own = torch.arange(logits.size(0))                     # (B * P)
    both = torch.cross_entropy_loss(logits, own) + torch.cross_entropy_loss(logits.t(), own)
    return both * 0.5

# Not of the paper either: where one side is a frozen teacher's, the other's tokens shall be the teacher's and not
# only be nearest to them, for a fusion encoder that never saw them reads them.
class SameTokens(Module):
  # s, t (B, M, H).
  def forward(self, s: Tensor, t: Tensor) -> Tensor:
    d = s - t  # (B, M, H)
    return (d * d).mean()

class Objective(Module):
  mutual : __torch__.cross_sensor.MutualInformation
  angular : __torch__.cross_sensor.AngularDistance
  neighbours : __torch__.cross_sensor.NearestNeighbours
  patches : __torch__.cross_sensor.Patches
  tokens : __torch__.cross_sensor.SameTokens
  # (6): the weighted sum, and the five losses apart. s, t (B, M, H) are tokens of two views of the same places,
  # e, f (B, D) their features; e_keys, f_keys (Q, D); weights (5) in the order of the losses.
  def forward(self, s: Tensor, t: Tensor, e: Tensor, f: Tensor, e_keys: Tensor, f_keys: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    none = e.sum() * 0.
    mutual, angular, neighbours, patches, tokens = none, none, none, none, none
    if bool(weights[0] > 0.):
      mutual = self.mutual.forward(torch.cat([e, f], 0), torch.cat([e_keys, f_keys], 0))
    if bool(weights[1] > 0.):
      angular = self.angular.forward(e, f)
    if bool(weights[2] > 0.):
      both = self.neighbours.forward(e, e_keys) + self.neighbours.forward(f, f_keys)
      neighbours = both * 0.5
    if bool(weights[3] > 0.):
      patches = self.patches.forward(s, t, places)
    if bool(weights[4] > 0.):
      tokens = self.tokens.forward(s, t)
    all = torch.stack([mutual, angular, neighbours, patches, tokens], 0)  # (5)
    return torch.cat([(all * weights).sum().unsqueeze(0), all], 0)        # (6)

class CrossSensor(Module):
  model : __torch__.sensors.Sensors
  objective : __torch__.cross_sensor.Objective

  # Pairs of two modalities. a (B, C1, S, S), b (B, C2, S, S); keys (2, Q, D). Gives (6) as above and the
  # features (2, B, D).
  def across(self, a: Tensor, b: Tensor, keys: Tensor, places: Tensor, weights: Tensor) -> List[Tensor]:
    s = self.model.encode_image_FIRST(a)   # (B, M, H)
    t = self.model.encode_image_SECOND(b)  # (B, M, H)
    e = self.model.filter_image(s[:, 0])   # (B, D)
    f = self.model.filter_image(t[:, 0])   # (B, D)
    losses = self.objective.forward(s, t, e, f, keys[0], keys[1], places, weights)
    return [losses, torch.stack([e, f], 0).detach()]

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS

# A new sensor onto a frozen teacher, whose tokens and features come from outside. The model has the new tower and
# the teacher's projection, which stays as it is.
class Onto(Module):
  model : __torch__.sensors.Sensors
  objective : __torch__.cross_sensor.Objective

  # t (B, M, H) tokens of the teacher, f (B, D) its features; b (B, C, S, S) the same places by the new sensor. The
  # rest, and the answer, as in CrossSensor, the teacher being the first modality.
  def onto(self, t: Tensor, f: Tensor, b: Tensor, keys: Tensor, places: Tensor, weights: Tensor) -> List[Tensor]:
    s = self.model.encode_image_SECOND(b)  # (B, M, H)
    e = self.model.filter_image(s[:, 0])   # (B, D)
    losses = self.objective.forward(t, s, f, e, keys[0], keys[1], places, weights)
    return [losses, torch.stack([f, e], 0).detach()]

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS
