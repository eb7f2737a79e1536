"""Scores, and learns from what came of it: one actor for each customer, shop or model.

{"observe": {"amount": 120, "night": 1, "label": 1}}   learns; the reply is the score from before
{"score": {"amount": 120, "night": 1}}                 the probability of the label 1
"explain", {"explain": {"amount": 120}}                what weighs, at all or in one score
"stats"                                                counts, and how good the scores are
{"forget": "night"}                                    a feature is taken out
"""

from baton import Actor, BadMessage, Cx, Failure, message, migration, plugin

from model import MOST_FEATURES, Feature, Model, Settings, Value, importance, learn, predict
from v1 import ModelV1

SAVE_EVERY = 50
"""Observations between two checkpoints: at most so many are learned again after a crash."""
LONGEST_NAME = 64
QUIET = 20
"""Observations before the loss says anything."""


@plugin(name="scoring", version="2.0.0", schema=2, metadata={"license": "Apache-2.0"})
class Scoring(Actor[Model]):
    settings: Settings

    def init(self, cx: Cx) -> Model:
        # From the arguments, so that it is no part of the state: who changes them changes it at the next start.
        self.settings = cx.args_json(Settings | None) or Settings()
        return Model()

    @migration(1)
    @staticmethod
    def keep_the_weights(old: ModelV1) -> Model:
        # The scores stay what they were. What 1.0.0 did not keep is not invented: it is found out from here on.
        features = {name: Feature(weight) for name, weight in old.weights.items()}
        return Model(old.bias, features, old.observed, positives=None)

    def validate(self, state: Model) -> None:
        # That no number is NaN or infinite is seen to by the state's types.
        if len(state.features) > MOST_FEATURES:
            raise ValueError(f"{len(state.features)} features are more than {MOST_FEATURES}")
        if state.positives is not None and state.positives > state.observed:
            raise ValueError(f"{state.positives} positives among {state.observed} observations")
        for name in state.features:
            if not 1 <= len(name) <= LONGEST_NAME:
                raise ValueError(f"a feature's name has {len(name)} characters")

    @message
    def observe(self, cx: Cx, example: dict[str, Value]) -> dict:
        label = example.pop("label", None)
        if label not in (0.0, 1.0):
            raise BadMessage("`observe`: `label` is to be 0 or 1")
        self._check_room(example)
        before = learn(self.state, example, int(label), self.settings)
        if self.state.observed % SAVE_EVERY == 0:
            cx.save()
        self._watch(cx)
        return {"score": _shown(before), "observed": self.state.observed}

    @message
    def score(self, cx: Cx, example: dict[str, Value]) -> float:
        return _shown(predict(self.state, example))

    @message
    def explain(self, cx: Cx, example: dict[str, Value] | None = None) -> dict:
        features = self.state.features
        if example is None:
            shares = {name: importance(feature) for name, feature in features.items()}
        else:
            shares = {name: features[name].weight * value for name, value in example.items() if name in features}
        # By weight, then by name, so that it never depends on the order in which features came.
        ordered = sorted(shares.items(), key=lambda share: (-abs(share[1]), share[0]))
        told = {"bias": _shown(self.state.bias), "shares": [[name, _shown(share)] for name, share in ordered]}
        if example is not None:
            told["score"] = _shown(predict(self.state, example))
            told["unknown"] = sorted(name for name in example if name not in features)
        return told

    @message
    def stats(self, cx: Cx) -> dict:
        state = self.state
        return {
            "observed": state.observed,
            "positives": state.positives,
            "log_loss": None if state.loss is None else _shown(state.loss),
            "features": {name: state.features[name].seen for name in sorted(state.features)},
        }

    @message
    def forget(self, cx: Cx, name: str) -> bool:
        return self.state.features.pop(name, None) is not None

    def _check_room(self, example: dict[str, float]) -> None:
        for name in example:
            if not 1 <= len(name) <= LONGEST_NAME:
                raise BadMessage(f"`observe`: a feature's name has 1 to {LONGEST_NAME} characters")
        count = len(self.state.features.keys() | example.keys())
        if count > self.settings.max_features:
            raise Failure("too-many-features", f"{count} features are more than {self.settings.max_features}")

    def _watch(self, cx: Cx) -> None:
        """Tells the watcher that the scores are bad: at the observation with which they become so, and then with every
        checkpoint."""
        state = self.state
        if self.settings.watcher is None or state.loss is None or state.loss < self.settings.alarm:
            return
        if state.observed >= QUIET and (state.observed == QUIET or state.observed % SAVE_EVERY == 0):
            cx.send(self.settings.watcher, {"drift": {"model": cx.actor, "log_loss": _shown(state.loss)}})


def _shown(number: float) -> float:
    """As replies show it: without the last digits, in which one machine's mathematics may differ from another's."""
    return round(number, 6)
