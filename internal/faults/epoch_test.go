package faults

import "testing"

// TestComingBack sees what the oracle makes of the reply to a join of somebody
// who had got the first three messages of epoch a, of which two were
// acknowledged.
func TestComingBack(t *testing.T) {
	missed := func(epoch string, offsets ...uint64) (list []frame) {
		for _, n := range offsets {
			list = append(list, frame{Epoch: epoch, Offset: n, ID: "m-" + string(rune('0'+n))})
		}
		return list
	}
	const loses, falls, renews, nothing = "loses", "falls", "renews", "nothing"
	for name, c := range map[string]struct {
		may    string
		since  uint64
		reply  joinReply
		breaks invariant
	}{
		"nothing missed":                  {nothing, 3, joinReply{Epoch: "a", Offset: 3, Recovered: true}, ""},
		"one missed":                      {nothing, 3, joinReply{Epoch: "a", Offset: 4, Recovered: true, Messages: missed("a", 4)}, ""},
		"refused":                         {nothing, 3, joinReply{Epoch: "a", Offset: 3, Messages: missed("a", 1, 2, 3)}, refused},
		"one left out":                    {nothing, 3, joinReply{Epoch: "a", Offset: 5, Recovered: true, Messages: missed("a", 5)}, gap},
		"one not there yet":               {nothing, 3, joinReply{Epoch: "a", Offset: 4, Recovered: true}, gap},
		"one twice":                       {nothing, 3, joinReply{Epoch: "a", Offset: 4, Recovered: true, Messages: missed("a", 3, 4)}, doubled},
		"another epoch for no reason":     {nothing, 3, joinReply{Epoch: "b", Offset: 3, Recovered: true}, gap},
		"restarted, nothing missed":       {renews, 3, joinReply{Epoch: "b", Offset: 3, Recovered: true}, ""},
		"restarted, one missed":           {renews, 3, joinReply{Epoch: "b", Offset: 4, Recovered: true, Messages: missed("b", 4)}, ""},
		"restarted, of two epochs":        {renews, 3, joinReply{Epoch: "a", Offset: 4, Recovered: true, Messages: missed("b", 4)}, disordered},
		"restarted, refused":              {renews, 3, joinReply{Epoch: "b", Offset: 3, Messages: missed("b", 1, 2, 3)}, refused},
		"restarted, one left out":         {renews, 3, joinReply{Epoch: "b", Offset: 5, Recovered: true, Messages: missed("b", 5)}, gap},
		"restarted, one twice":            {renews, 3, joinReply{Epoch: "b", Offset: 4, Recovered: true, Messages: missed("b", 3, 4)}, gap},
		"fallen back, acknowledged":       {falls, 2, joinReply{Epoch: "b", Offset: 2, Messages: missed("b", 1, 2)}, refused},
		"fallen back, not acknowledged":   {falls, 3, joinReply{Epoch: "b", Offset: 2, Messages: missed("b", 1, 2)}, ""},
		"fallen back, and is there still": {falls, 3, joinReply{Epoch: "b", Offset: 3, Recovered: true}, ""},
		"lost":                            {loses, 2, joinReply{Epoch: "b"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOracle(newSheet(name))
			v := &view{o: o, user: "u", room: "hall:0", history: true}
			v.joined(nil, &joinReply{Epoch: "a"})
			for _, m := range missed("a", 1, 2, 3)[:c.since] {
				if m.Offset < 3 {
					o.ack(place{v.room, m.Epoch, m.Offset}, m.ID)
				}
				v.message(&m, 1, 0)
			}
			v.gone()
			o.allow(c.may == loses, c.may == falls, c.may == renews, false)
			v.joined(v.since(), &c.reply)
			for _, inv := range invariants {
				if n := o.violations(inv, ""); (n > 0) != (inv == c.breaks) {
					t.Errorf("%d times %s\n%v", n, inv, o.details)
				}
			}
			if v.epoch != c.reply.Epoch || v.last != c.reply.Offset {
				t.Errorf("it goes on from %s %d", v.epoch, v.last)
			}
		})
	}
}
