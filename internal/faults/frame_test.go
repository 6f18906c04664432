package faults

import (
	"encoding/json"
	"strconv"
	"strings"
)

// position is a place to go on from.
type position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// request is what a client sends.
type request struct {
	Type   string    `json:"type"`
	Ref    int64     `json:"ref"`
	Room   string    `json:"room,omitempty"`
	ID     string    `json:"id,omitempty"`
	Data   string    `json:"data,omitempty"`
	Since  *position `json:"since,omitempty"`
	After  string    `json:"after,omitempty"`
	Status string    `json:"status,omitempty"`
}

// frame is what a client gets, of docs/PROTOCOL.md.
type frame struct {
	Type   string          `json:"type"`
	Ref    int64           `json:"ref"`
	OK     bool            `json:"ok"`
	Data   json.RawMessage `json:"data"`
	Error  *fault          `json:"error"`
	Room   string          `json:"room"`
	From   string          `json:"from"`
	User   string          `json:"user"`
	ID     string          `json:"id"`
	Code   string          `json:"code"`
	Reason string          `json:"reason"`
	Epoch  string          `json:"epoch"`
	Offset uint64          `json:"offset"`
}

type fault struct {
	Code string `json:"code"`
}

// joinReply is the data of the reply to a join.
type joinReply struct {
	Epoch     string  `json:"epoch"`
	Offset    uint64  `json:"offset"`
	Recovered bool    `json:"recovered"`
	Messages  []frame `json:"messages"`
}

// said is the data of the reply to a message.
type receipt struct {
	Epoch     string `json:"epoch"`
	Offset    uint64 `json:"offset"`
	Duplicate bool   `json:"duplicate"`
}

// roster is the data of the reply to members.
type roster struct {
	Members []struct {
		User        string `json:"user"`
		Status      string `json:"status"`
		Connections int    `json:"connections"`
	} `json:"members"`
	Next string `json:"next"`
}

// serial is the number in an ID that ends with one.
func serial(id string) int {
	_, n, _ := strings.Cut(id, "-")
	i, _ := strconv.Atoi(n)
	return i
}
