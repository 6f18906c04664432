package room

// SetValue keeps a value with the connection, for the hooks and handlers that
// come after, such as what [OnConnect] has found in the handshake's request. Keys
// are compared as those of context.WithValue are, and should be of a type of the
// caller's own. A nil value takes the one before away.
//
// The value is this connection's alone, on this node: who comes back after the
// line broke is a new connection. [OnDisconnect] is the last to see it.
func (c *Conn) SetValue(key, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case value == nil:
		delete(c.values, key)
	case c.values == nil:
		c.values = map[any]any{key: value}
	default:
		c.values[key] = value
	}
}

// Value returns what SetValue has kept under the key, or nil.
func (c *Conn) Value(key any) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values[key]
}
