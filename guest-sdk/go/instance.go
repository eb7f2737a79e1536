package baton

import "strconv"

// Instance is one instance of a plugin: the host's calls come in here, the same in WebAssembly and under test. Authors
// need it no more than they need Host.
type Instance[S any] struct {
	plugin *Plugin[S]
	host   hostRef
	state  *S
	cx     *Cx
	// started: Continue has succeeded. Before that there is no state to speak of.
	started bool
}

// StateNow is the state as it stands; nil before Init.
func (i *Instance[S]) StateNow() *S { return i.state }

// Describe is what the host is told before there is any actor.
func (i *Instance[S]) Describe() Description {
	p := i.plugin
	oldest, newest := readRange(p.Migrations, p.schema())
	metadata := []Field{{"sdk", "baton-go " + sdkVersion}}
	for _, name := range sortedKeys(p.Metadata) {
		if value := p.Metadata[name]; value != "" {
			metadata = append(metadata, Field{name, value})
		}
	}
	return Description{
		Name: p.Name, Version: p.Version,
		Schema: p.schema(), ReadsFrom: oldest, ReadsTo: newest,
		Messages: p.mediaType(), Metadata: metadata,
	}
}

// Init makes a fresh state, and says whether the actor traps exits.
func (i *Instance[S]) Init(actor string, args []byte) (trapExit bool, failed *Failure) {
	cx := &Cx{host: i.host, actor: actor, args: args}
	state, err := i.plugin.Init(cx)
	if err != nil {
		return false, failure(err)
	}
	if state == nil {
		panic("Init returned neither a state nor an error")
	}
	i.cx, i.state = cx, state
	if i.plugin.TrapsExits != nil {
		return i.plugin.TrapsExits(state, cx), nil
	}
	return !i.plugin.DiesWithLinks, nil
}

// Continue takes over what the predecessor left, nil where there is nothing. After a refusal the instance is of no use.
func (i *Instance[S]) Continue(generation uint64, handoff *Handoff) *Refusal {
	if i.cx == nil {
		return &Refusal{RefusedOtherwise, notStarted().Message}
	}
	i.cx.generation = generation
	if handoff == nil {
		if i.plugin.Started != nil {
			if err := i.plugin.Started(i.state, i.cx); err != nil {
				return refusal(err)
			}
		}
		i.started = true
		return nil
	}
	state, err := i.plugin.load(handoff.State)
	if err != nil {
		return refusal(err)
	}
	i.state = state
	predecessor := &Predecessor{
		Schema:     handoff.State.Schema,
		Origin:     handoff.Origin,
		Generation: handoff.Generation,
		WrittenBy:  handoff.WrittenBy,
		Age:        duration(handoff.AgeMs),
	}
	if i.plugin.Resumed != nil {
		if err := i.plugin.Resumed(state, i.cx, predecessor); err != nil {
			return refusal(err)
		}
	}
	i.cx.predecessor = predecessor
	i.started = true
	return nil
}

// Handle handles one message. The reply is empty for all but calls.
func (i *Instance[S]) Handle(m Message) ([]byte, *Failure) {
	if !i.started {
		return nil, notStarted()
	}
	switch m.Kind {
	case MessageCall, MessageCast:
		return i.request(m)
	case MessageTimer:
		return nil, i.timer(m.Name)
	case MessageDown:
		if i.plugin.Down == nil {
			i.cx.Info("nothing is done about the end of an actor", "down", m.Actor, "reason", m.Reason)
			return nil, nil
		}
		return nil, failure(i.plugin.Down(i.state, i.cx, m.Actor, m.Reason))
	}
	if m.Name == "exit" {
		return nil, i.exit(m.Body)
	}
	if i.plugin.Other == nil {
		return nil, &Failure{"unsupported", "messages of the kind " + quote(m.Name) + " are not known here"}
	}
	return nil, failure(i.plugin.Other(i.state, i.cx, m.Name, m.Body))
}

func (i *Instance[S]) request(m Message) ([]byte, *Failure) {
	cx := i.cx
	cx.requestID, cx.sender, cx.expectsReply = m.ID, m.Sender, m.Kind == MessageCall
	defer func() { cx.requestID, cx.sender, cx.expectsReply = "", "", false }()
	reply, err := i.plugin.Handle.handle(i.state, cx, m.Body)
	if bad, ok := err.(*badMessage); ok {
		return nil, &Failure{"bad-message", i.plugin.Name + " " + i.plugin.Version + " does not take this message: " + bad.why}
	}
	if err != nil {
		return nil, failure(err)
	}
	if m.Kind != MessageCall {
		return nil, nil // nobody reads it
	}
	return reply, nil
}

func (i *Instance[S]) timer(name string) *Failure {
	if i.plugin.Timer == nil {
		return &Failure{"unexpected-timer", "nothing is done with the timer " + quote(name)}
	}
	return failure(i.plugin.Timer(i.state, i.cx, name))
}

func (i *Instance[S]) exit(data []byte) *Failure {
	actor, reason, ok := readExit(data)
	if !ok {
		return &Failure{"bad-exit", "the end of a linked actor was told wrongly: " + strconv.Quote(string(data[:min(len(data), 200)]))}
	}
	if i.plugin.Exit == nil {
		i.cx.Info("nothing is done about an exit", "exit", actor, "reason", reason)
		return nil
	}
	return failure(i.plugin.Exit(i.state, i.cx, actor, reason))
}

// Snapshot is the state as it stands, the actor going on.
func (i *Instance[S]) Snapshot() (State, *Failure) {
	if !i.started {
		return State{}, notStarted()
	}
	return i.plugin.save(i.state)
}

// Terminate is the last call.
func (i *Instance[S]) Terminate(reason StopReason, within Budget) (Leave, State, *Failure) {
	if !i.started {
		return LeaveKeep, State{}, notStarted()
	}
	leave := LeaveSave
	if i.plugin.Terminate != nil {
		var err error
		if leave, err = i.plugin.Terminate(i.state, i.cx, reason, within); err != nil {
			return LeaveKeep, State{}, failure(err)
		}
	}
	if leave != LeaveSave {
		return leave, State{}, nil
	}
	state, failed := i.plugin.save(i.state)
	return leave, state, failed
}

func notStarted() *Failure {
	return &Failure{"not-started", "the instance has not been through init and continue"}
}
