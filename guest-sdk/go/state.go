package baton

import (
	"errors"
	"strconv"

	"baton/postcard"
)

// Encoding says how a state is written. Equal states should have equal bytes.
type Encoding[S any] interface {
	// Encode writes a state.
	Encode(state *S) ([]byte, error)
	// Decode reads a whole state, and says what is wrong with bytes that are none: the state is then refused as corrupt.
	Decode(data []byte) (*S, error)
}

// JSONState writes a state with encoding/json: the default. Names that S does not have are refused, since what they hold
// would be lost, and so are states without a field that S always writes. So another field is another layout, with a schema
// of its own, unless it is marked omitempty or omitzero.
func JSONState[S any]() Encoding[S] { return jsonState[S]{} }

type jsonState[S any] struct{}

func (jsonState[S]) Encode(state *S) ([]byte, error) { return encodeJSON(state) }

func (jsonState[S]) Decode(data []byte) (*S, error) {
	state := new(S)
	if err := readJSON(data, state); err != nil {
		return nil, err
	}
	if why := misfit(state, data); why != "" {
		return nil, errors.New(why)
	}
	return state, nil
}

// PostcardState writes a state as postcard does, value after value: see package postcard. Plugins in other languages read
// the same bytes.
func PostcardState[S any](write func(w *postcard.Writer, state *S), read func(r *postcard.Reader, state *S)) Encoding[S] {
	return postcardState[S]{write, read}
}

type postcardState[S any] struct {
	write func(*postcard.Writer, *S)
	read  func(*postcard.Reader, *S)
}

func (p postcardState[S]) Encode(state *S) ([]byte, error) {
	var w postcard.Writer
	p.write(&w, state)
	return w.Bytes(), nil
}

func (p postcardState[S]) Decode(data []byte) (*S, error) {
	state, r := new(S), postcard.NewReader(data)
	p.read(r, state)
	if err := r.End(); err != nil {
		return nil, err
	}
	return state, nil
}

// BytesState writes a state by two functions of the author's own.
func BytesState[S any](encode func(state *S) ([]byte, error), decode func(data []byte) (*S, error)) Encoding[S] {
	return bytesState[S]{encode, decode}
}

type bytesState[S any] struct {
	encode func(*S) ([]byte, error)
	decode func([]byte) (*S, error)
}

func (b bytesState[S]) Encode(state *S) ([]byte, error) { return b.encode(state) }
func (b bytesState[S]) Decode(data []byte) (*S, error)  { return b.decode(data) }

// load brings a state of any layout that the plugin reads to the current one.
func (p *Plugin[S]) load(written State) (*S, error) {
	state, err := p.read(written)
	if err != nil {
		return nil, err
	}
	if p.Validate != nil {
		if err := p.Validate(state); err != nil {
			return nil, corrupt(written.Schema, "it breaks a rule: "+err.Error())
		}
	}
	return state, nil
}

func (p *Plugin[S]) read(written State) (*S, error) {
	if written.Schema == p.schema() {
		state, err := p.encoding().Decode(written.Data)
		if err != nil {
			return nil, corrupt(written.Schema, err.Error())
		}
		if state == nil {
			return nil, corrupt(written.Schema, "nothing was made of it")
		}
		return state, nil
	}
	return migrate(p.Migrations, p.schema(), written)
}

// save writes a state.
func (p *Plugin[S]) save(state *S) (State, *Failure) {
	data, err := p.encoding().Encode(state)
	if err != nil {
		return State{}, &Failure{"not-encodable", "the state cannot be written: " + err.Error()}
	}
	return State{Schema: p.schema(), Data: data}, nil
}

func corrupt(schema uint32, why string) error {
	return &Refusal{Corrupt, "state of schema " + number(schema) + ": " + why}
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
