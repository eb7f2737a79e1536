package batontest

import "baton"

// around are those around an actor: children, groups, names.
type around struct {
	asked      []string
	refused    error
	children   map[string][]baton.ChildInfo
	phases     map[string]baton.Phase
	groups     map[string][]string
	attributes map[[2]string]string
}

func newAround() around {
	return around{
		children:   map[string][]baton.ChildInfo{},
		phases:     map[string]baton.Phase{},
		groups:     map[string][]string{},
		attributes: map[[2]string]string{},
	}
}

// Asked is what the actor has asked of those around it since this was asked last, in order, as lines such as
// "start-child w/1 worker", "monitor w/1", "join room" or `dispatch room {"say":"hi"}`. What was refused is not among it,
// nor is what only looks something up.
func (w *World) Asked() []string { return take(&w.asked) }

// RefuseSupervision lets the host refuse whatever of supervision acts at once from now on, with errors such as
// baton.ErrUnknownChild; nil ends that. For what leaves with the turn there is RefuseSends.
func (w *World) RefuseSupervision(err error) { w.refused = err }

// SetChildren sets the children of a supervisor, or of the root where that is empty.
func (w *World) SetChildren(supervisor string, children ...baton.ChildInfo) {
	w.children[supervisor] = children
}

// SetPhase sets where another actor stands; an empty phase: nobody has the name.
func (w *World) SetPhase(actor string, phase baton.Phase) {
	if phase == "" {
		delete(w.phases, actor)
	} else {
		w.phases[actor] = phase
	}
}

// SetMembers sets the members of a group.
func (w *World) SetMembers(group string, members ...string) { w.groups[group] = members }

// SetAttributeOf sets an attribute of another actor.
func (w *World) SetAttributeOf(actor, key, value string) {
	w.attributes[[2]string{actor, key}] = value
}
