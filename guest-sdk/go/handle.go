package baton

// Handler answers the messages of an actor: Commands, JSON or Raw.
type Handler[S any] interface {
	// handle answers one message. Nobody reads the reply where cx.ExpectsReply is false.
	handle(state *S, cx *Cx, body []byte) ([]byte, error)
	// mediaType is that of the bodies.
	mediaType() string
	// stateEncoding is how a state is written where nothing else is said; nil: it must be said. So a plugin that has no
	// other use for it does not carry a JSON library.
	stateEncoding() Encoding[S]
}

// Raw takes and answers messages as bytes that only the plugin understands: Plugin.Messages says what they are.
func Raw[S any](handle func(state *S, cx *Cx, body []byte) ([]byte, error)) Handler[S] {
	return rawHandler[S](handle)
}

type rawHandler[S any] func(*S, *Cx, []byte) ([]byte, error)

func (h rawHandler[S]) handle(state *S, cx *Cx, body []byte) ([]byte, error) {
	return h(state, cx, body)
}
func (h rawHandler[S]) mediaType() string          { return "application/octet-stream" }
func (h rawHandler[S]) stateEncoding() Encoding[S] { return nil }

// JSON takes messages that are one JSON value of the type M, and answers with a value that is written as JSON.
// Where a message is one of several commands, Commands is shorter.
func JSON[S, M, R any](handle func(state *S, cx *Cx, message M) (R, error)) Handler[S] {
	return jsonHandler[S](With(handle).do)
}

type jsonHandler[S any] func(state *S, cx *Cx, value []byte) ([]byte, error)

func (h jsonHandler[S]) handle(state *S, cx *Cx, body []byte) ([]byte, error) {
	if why := checkJSON(body); why != "" {
		return nil, BadMessage(why)
	}
	return h(state, cx, body)
}
func (h jsonHandler[S]) mediaType() string          { return "application/json" }
func (h jsonHandler[S]) stateEncoding() Encoding[S] { return JSONState[S]() }

// Commands takes messages as a person types them: "get", or {"add": 3}, a name with a value. Each has a function.
//
//	baton.Commands[Counter]{
//		"get": baton.Word((*Counter).get), // func (c *Counter) get(cx *baton.Cx) (uint64, error)
//		"add": baton.With((*Counter).add), // func (c *Counter) add(cx *baton.Cx, n uint64) (uint64, error)
//	}
type Commands[S any] map[string]Command[S]

// Command is one of Commands: made by Word or With.
type Command[S any] struct {
	// do gets the value as JSON that has been checked.
	do func(state *S, cx *Cx, value []byte) ([]byte, error)
	// word: it takes no value.
	word bool
}

// Word is a command without a value: "get". {"get": null} is the same.
func Word[S, R any](do func(state *S, cx *Cx) (R, error)) Command[S] {
	return Command[S]{word: true, do: func(state *S, cx *Cx, _ []byte) ([]byte, error) {
		reply, err := do(state, cx)
		return encodeReply(cx, reply, err)
	}}
}

// With is a command with a value: {"add": 3}. The value is read as encoding/json reads it, with two rules more: it is
// not null where M has no nil, and names that M does not have are refused.
func With[S, V, R any](do func(state *S, cx *Cx, value V) (R, error)) Command[S] {
	return Command[S]{do: func(state *S, cx *Cx, value []byte) ([]byte, error) {
		var v V
		if why := decodeJSON(value, &v); why != "" {
			return nil, BadMessage(why)
		}
		reply, err := do(state, cx, v)
		return encodeReply(cx, reply, err)
	}}
}

func (c Commands[S]) handle(state *S, cx *Cx, body []byte) ([]byte, error) {
	if why := checkJSON(body); why != "" {
		return nil, BadMessage(why)
	}
	name, value, ok := splitCommand(body)
	if !ok {
		return nil, BadMessage("a command is a name, such as " + c.example() + "; this is neither")
	}
	command, known := c[name]
	switch {
	case !known:
		return nil, BadMessage(quote(name) + " is not known; known are " + c.names())
	case command.word && value != nil && string(value) != "null":
		return nil, BadMessage(quote(name) + " takes no value: send " + quote(name) + " alone")
	case !command.word && value == nil:
		return nil, BadMessage(quote(name) + " needs a value: {" + quote(name) + ": …}")
	}
	reply, err := command.do(state, cx, value)
	if bad, ok := err.(*badMessage); ok {
		return nil, BadMessage(quote(name) + ": " + bad.why)
	}
	return reply, err
}

func (c Commands[S]) mediaType() string          { return "application/json" }
func (c Commands[S]) stateEncoding() Encoding[S] { return JSONState[S]() }

// example is one command of each kind that there is, the first by name.
func (c Commands[S]) example() string {
	var word, with string
	for _, name := range sortedKeys(c) {
		if c[name].word && word == "" {
			word = quote(name)
		}
		if !c[name].word && with == "" {
			with = "{" + quote(name) + ": …}"
		}
	}
	if word == "" || with == "" {
		return word + with
	}
	return word + ", or a name with a value, such as " + with
}

func (c Commands[S]) names() string {
	text := ""
	for i, name := range sortedKeys(c) {
		if i > 0 {
			text += ", "
		}
		text += quote(name)
	}
	return text
}

func encodeReply[R any](cx *Cx, reply R, err error) ([]byte, error) {
	if err != nil || !cx.ExpectsReply() {
		return nil, err
	}
	body, err := encodeJSON(reply)
	if err != nil {
		return nil, Fail("bad-reply", "the message was handled; its reply cannot be written: "+err.Error())
	}
	return body, nil
}
