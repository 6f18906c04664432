package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/jwtauth"
	"github.com/wardroom/wardroom/validate"
)

const (
	issuer   = "wardroom-chat"
	audience = "wardroom-chat"
	lifetime = 15 * time.Minute
)

// login is what an application must not copy: it signs a token for whatever
// name and roles it is asked for. Yours knows its users.
type login struct {
	key    []byte
	signer *jwtauth.Signer
}

func newLogin(key []byte) (*login, error) {
	if len(key) == 0 {
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
	}
	signer, err := jwtauth.NewSigner(issuer, audience, key)
	if err != nil {
		return nil, err
	}
	return &login{key: key, signer: signer}, nil
}

func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	var in struct {
		Name  string   `json:"name"`
		Roles []string `json:"roles"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil {
		refuse(w, "Send JSON like {\"name\":\"Ada\"}.")
		return
	}
	name, bad := validate.DisplayName(in.Name)
	if bad != nil {
		refuse(w, "A name is 1 to 64 characters.")
		return
	}
	id := auth.Identity{ID: userID(name), Name: name, Roles: in.Roles, ExpiresAt: time.Now().Add(lifetime)}
	token, err := l.signer.Sign(id)
	if err != nil {
		refuse(w, "That cannot be made into a token.")
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"token": token, "user": id.ID, "name": name, "expires_at": id.ExpiresAt.UnixMilli(),
	})
}

func refuse(w http.ResponseWriter, message string) {
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": "bad_request", "message": message}})
}

// userID makes the same name the same user on every device. What an ID cannot
// hold is replaced by a hash, so that other names stay other users.
func userID(name string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '.', r == '_':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ':
			return '-'
		}
		return -1
	}, name)
	if strings.EqualFold(strings.ReplaceAll(name, " ", "-"), id) {
		return id
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimLeft(id+"-"+hex.EncodeToString(sum[:4]), "-")
}
