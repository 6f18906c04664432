package limit

// CounterKeys is how many keys a MemoryCounter holds.
func CounterKeys(c *MemoryCounter) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.keys)
}
