# The losses of SS-CM-RSIR (Sumbul, Mueller, Demir 2022) around a model of two sensors, or of one that follows a
# frozen teacher. An exported model leaves all of this behind. Letters as in nn.py; P places of an image, Q earlier
# features.

# (i) Mutual information: NT-Xent over the 2B features of both modalities, in both directions. What shows the
# anchor's place, itself and the same place at another time, is no negative.
class MutualInformation(Module):
  __parameters__ = ["log_scale"]
  log_scale : Tensor  # (1), log of 1 / temperature
  within : float      # 1 where images of the anchor's own modality are negatives too, as in NT-Xent; else 0
  # A clamp has no gradient beyond its bound: a temperature that overshot would stay there for good.
  def scale(self) -> Tensor:
    l = self.log_scale                                          # (1)
    return torch.exp(l - torch.relu(l - 4.605170185988092).detach())  # (1), at most 100
  # z (2B, D) holds one modality behind the other; keys (Q, D) are more negatives, wherever they lie; place (B) is a
  # number for each.
  def forward(self, z: Tensor, keys: Tensor, place: Tensor) -> Tensor:
    n = z.size(0)
    cos = z @ torch.cat([z, keys], 0).t()                     # (2B, 2B + Q)
    partner = torch.remainder(torch.arange(n) + n // 2, n)    # (2B)
    p = torch.cat([place, place], 0)                          # (2B)
    same = (p[:, None] == p[None]).float()                    # (2B, 2B)
    same = same - torch.index_select(torch.eye(n, n), 0, partner)  # (2B, 2B), 0 for the partner
    own = torch.floor_divide(torch.arange(n), n // 2)         # (2B), 0 or 1, the modality
    alike = (own[:, None] == own[None]).float()               # (2B, 2B)
    same = torch.maximum(same, alike * (1. - self.within))    # (2B, 2B)
    none = torch.zeros([n, keys.size(0)])                     # (2B, Q)
    away = torch.cat([same, none], 1) * -10000.               # (2B, 2B + Q)
    return torch.cross_entropy_loss(cos * self.scale() + away, partner)

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

# Not of the paper: patch tokens of the same ground are alike, of other ground and images not. Late interaction
# compares these tokens, and the losses above train [CLS] alone.
class Patches(Module):
  temperature : float
  def unit(self, x: Tensor, tokens: Tensor) -> Tensor:
    y = torch.index_select(x, 1, tokens).flatten(0, 1)  # (B * P, H)
    return y / torch.clamp_min(torch.norm(y, 2, [1], True), 1e-06)
  # s, t (B, M, H) tokens of a pair; place (B); tokens (P) numbers of those compared, the same in all images.
  def forward(self, s: Tensor, t: Tensor, place: Tensor, tokens: Tensor) -> Tensor:
    cos = self.unit(s, tokens) @ self.unit(t, tokens).t()            # (B * P, B * P)
    own = torch.arange(cos.size(0))                                  # (B * P)
    ground = (place[:, None] * s.size(1) + tokens[None]).flatten()   # (B * P)
    same = (ground[:, None] == ground[None]).float() - torch.eye(cos.size(0), cos.size(0))
    logits = cos / self.temperature + same * -10000.                 # (B * P, B * P)
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
  # e, f (B, D) their features; e_keys, f_keys (Q, D); place (B) and tokens (P) as above; weights (5) in the order of
  # the losses.
  def forward(self, s: Tensor, t: Tensor, e: Tensor, f: Tensor, e_keys: Tensor, f_keys: Tensor, place: Tensor, tokens: Tensor, weights: Tensor) -> Tensor:
    none = e.sum() * 0.
    mutual, angular, neighbours, patches, teacher = none, none, none, none, none
    if bool(weights[0] > 0.):
      mutual = self.mutual.forward(torch.cat([e, f], 0), torch.cat([e_keys, f_keys], 0), place)
    if bool(weights[1] > 0.):
      angular = self.angular.forward(e, f)
    if bool(weights[2] > 0.):
      both = self.neighbours.forward(e, e_keys) + self.neighbours.forward(f, f_keys)
      neighbours = both * 0.5
    if bool(weights[3] > 0.):
      patches = self.patches.forward(s, t, place, tokens)
    if bool(weights[4] > 0.):
      teacher = self.tokens.forward(s, t)
    all = torch.stack([mutual, angular, neighbours, patches, teacher], 0)  # (5)
    return torch.cat([(all * weights).sum().unsqueeze(0), all], 0)        # (6)

class CrossSensor(Module):
  model : __torch__.sensors.Sensors
  objective : __torch__.cross_sensor.Objective

  # Pairs of two modalities. a (B, C1, S, S), b (B, C2, S, S); keys (2, Q, D). Gives (6) as above and the
  # features (2, B, D).
  def across(self, a: Tensor, b: Tensor, keys: Tensor, place: Tensor, tokens: Tensor, weights: Tensor) -> List[Tensor]:
    s = self.model.encode_image_FIRST(a)   # (B, M, H)
    t = self.model.encode_image_SECOND(b)  # (B, M, H)
    e = self.model.filter_image(s[:, 0])   # (B, D)
    f = self.model.filter_image(t[:, 0])   # (B, D)
    losses = self.objective.forward(s, t, e, f, keys[0], keys[1], place, tokens, weights)
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
  def onto(self, t: Tensor, f: Tensor, b: Tensor, keys: Tensor, place: Tensor, tokens: Tensor, weights: Tensor) -> List[Tensor]:
    s = self.model.encode_image_SECOND(b)  # (B, M, H)
    e = self.model.filter_image(s[:, 0])   # (B, D)
    losses = self.objective.forward(t, s, f, e, keys[0], keys[1], place, tokens, weights)
    return [losses, torch.stack([f, e], 0).detach()]

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS
