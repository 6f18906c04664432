package auth

import "testing"

func TestVerbText(t *testing.T) {
	for v, want := range map[Verb]string{
		0: "none", Join: "join", Publish: "publish", History: "history", Presence: "presence", Moderate: "moderate",
		Create: "create", Manage: "manage", Call: "call", AllVerbs: "all", Join | Call: "join|call",
	} {
		if v.String() != want {
			t.Errorf("String is %q, want %q", v, want)
		}
		text, err := v.MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("MarshalText gives %q, %v", text, err)
		}
		var back Verb
		if err := back.UnmarshalText(text); err != nil || back != v {
			t.Errorf("%q comes back as %v, %v", text, back, err)
		}
	}
	if s := (Join | 1<<20).String(); s != "join|0x100000" {
		t.Error(s)
	}
	if _, err := Verb(1 << 20).MarshalText(); err == nil {
		t.Error("unknown bits were marshalled")
	}
}

func TestParseVerb(t *testing.T) {
	for s, want := range map[string]Verb{"*": AllVerbs, "publish|join": Join | Publish, "join|join": Join} {
		if v, err := ParseVerb(s); err != nil || v != want {
			t.Errorf("%q: %v, %v", s, v, err)
		}
	}
	for _, s := range []string{"", "Join", "join|", "join publish", "joins", "join|all"} {
		if v, err := ParseVerb(s); err == nil {
			t.Errorf("%q gives %v", s, v)
		}
		var v Verb
		if v.UnmarshalText([]byte(s)) == nil {
			t.Errorf("%q was unmarshalled", s)
		}
	}
}
