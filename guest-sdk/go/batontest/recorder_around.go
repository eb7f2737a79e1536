package batontest

import (
	"slices"
	"strings"

	"baton"
)

// ask writes an effect down, unless it is refused.
func (r *recorder) ask(words ...string) error {
	if r.refusal != nil {
		return r.refusal
	}
	r.asked = append(r.asked, strings.Join(words, " "))
	return nil
}

// demand is ask for what acts at once.
func (r *recorder) demand(words ...string) error {
	if r.refused != nil {
		return r.refused
	}
	r.asked = append(r.asked, strings.Join(words, " "))
	return nil
}

func (r *recorder) StartChild(supervisor string, child baton.ChildSpec) error {
	words := []string{"start-child", child.Name, child.Plugin}
	if supervisor != "" {
		words = append(words, "below", supervisor)
	}
	if len(child.Args) > 0 {
		words = append(words, "with", string(child.Args))
	}
	return r.demand(words...)
}

func (r *recorder) TerminateChild(child string) error { return r.demand("terminate-child", child) }

func (r *recorder) RestartChild(child string) error { return r.demand("restart-child", child) }

func (r *recorder) DeleteChild(child string) error { return r.demand("delete-child", child) }

func (r *recorder) WhichChildren(supervisor string) ([]baton.ChildInfo, error) {
	children, known := r.children[supervisor]
	switch {
	case r.refused != nil:
		return nil, r.refused
	case !known && supervisor != "":
		return nil, baton.ErrUnknownSupervisor
	}
	return slices.Clone(children), nil
}

func (r *recorder) CountChildren(supervisor string) (baton.Counts, error) {
	children, err := r.WhichChildren(supervisor)
	var counts baton.Counts
	for _, child := range children {
		counts.Specs++
		if child.Kind == baton.Supervisor {
			counts.Supervisors++
		} else {
			counts.Workers++
		}
		if child.State == baton.ChildUp || child.State == baton.ChildStarting || child.State == baton.ChildStopping {
			counts.Active++
		}
	}
	return counts, err
}

func (r *recorder) Whereis(actor string) (baton.Phase, bool) {
	if phase, ok := r.phases[actor]; ok {
		return phase, true
	}
	if actor == r.self {
		return baton.PhaseRunning, true
	}
	return "", false
}

func (r *recorder) Members(group string) ([]string, error) {
	return slices.Clone(r.groups[group]), r.refused
}

func (r *recorder) Attribute(actor, key string) (string, bool) {
	value, ok := r.attributes[[2]string{actor, key}]
	return value, ok
}

func (r *recorder) Having(key, value string) ([]string, error) {
	var actors []string
	for of, found := range r.attributes {
		if of[1] == key && found == value {
			actors = append(actors, of[0])
		}
	}
	slices.Sort(actors)
	return actors, r.refused
}

func (r *recorder) Monitor(actor string) error { return r.ask("monitor", actor) }

func (r *recorder) Demonitor(actor string) { r.asked = append(r.asked, "demonitor "+actor) }

func (r *recorder) Link(actor string) error { return r.ask("link", actor) }

func (r *recorder) Unlink(actor string) error { return r.ask("unlink", actor) }

func (r *recorder) Exit(actor, reason string) error { return r.ask("exit", actor, reason) }

func (r *recorder) Join(group string) error { return r.ask("join", group) }

func (r *recorder) Leave(group string) error { return r.ask("leave", group) }

func (r *recorder) Dispatch(group string, body []byte) error {
	return r.ask("dispatch", group, string(body))
}

func (r *recorder) SetAttribute(key string, value *string) error {
	if value == nil {
		return r.ask("remove-attribute", key)
	}
	return r.ask("set-attribute", key, *value)
}
