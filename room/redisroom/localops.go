package redisroom

// localOps are the calls of this node of which it may yet turn out that Redis
// did not answer, so that the message has to be delivered here all the same.
// Whichever way it comes first, it comes once.
type localOps map[opID]opState

type opState uint8

const (
	underway  opState = iota + 1 // the call is going on
	came                         // its message has come through the channel
	delivered                    // it was delivered here, and may come yet
)

// maxLocal is how many delivered ones are remembered, at least.
const maxLocal = 1024

// begin notes that a call begins.
func (l *localOps) begin(op opID) {
	if *l == nil {
		*l = make(localOps)
	}
	(*l)[op] = underway
}

// end notes that a call is over. Where its message has to be delivered here, it
// says so.
func (l localOps) end(op opID, failed bool) (deliver bool) {
	state := l[op]
	delete(l, op)
	if !failed || state == came {
		return false
	}
	if len(l) >= 2*maxLocal {
		l.shrink()
	}
	l[op] = delivered
	return true
}

// shrink forgets some of those that did not come.
func (l localOps) shrink() {
	n := 0
	for op, state := range l {
		if state == delivered {
			delete(l, op)
			if n++; n == maxLocal {
				return
			}
		}
	}
}

// arrive says whether the message that came through the channel is to be
// delivered.
func (l localOps) arrive(op opID) bool {
	switch l[op] {
	case underway:
		l[op] = came
	case delivered:
		delete(l, op)
		return false
	}
	return true
}
