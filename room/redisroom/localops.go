package redisroom

// localOps are the calls whose messages were delivered on this node because
// Redis did not answer, though it may have got them: the newest maxLocal.
type localOps struct {
	set   map[opID]struct{}
	order []opID
}

const maxLocal = 1024

func (l *localOps) note(op opID) {
	if l.set == nil {
		l.set = make(map[opID]struct{})
	}
	if len(l.order) >= maxLocal {
		delete(l.set, l.order[0])
		l.order = l.order[1:]
	}
	l.set[op] = struct{}{}
	l.order = append(l.order, op)
}

// forget says whether op is one of them, and removes it.
func (l *localOps) forget(op opID) bool {
	if _, ok := l.set[op]; !ok {
		return false
	}
	delete(l.set, op)
	return true
}
