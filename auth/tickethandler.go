package auth

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Handler returns a handler that makes a ticket for whoever authenticate says is asking, most often by the
// application's own session cookie. An error of authenticate is answered with 401, or with 503 if it is an
// [ErrUnavailable].
//
// The handler answers POST with {"ticket":"…","expires_in":30}, where expires_in is in whole seconds, and lets nobody
// store the answer. A page of another origin cannot have tickets made (403; see [TicketOrigins] and
// [http.CrossOriginProtection]): it could not read them, but it could have many made. Refusals have the body
// {"error":{"code":"…","message":"…"}} with a constant text.
func (t *Tickets) Handler(authenticate func(*http.Request) (Identity, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuseTicket(w, http.StatusMethodNotAllowed, "bad_request", "Ask for a ticket with POST.")
			return
		}
		if t.origin.Check(r) != nil {
			refuseTicket(w, http.StatusForbidden, "origin_forbidden", "This page may not ask for tickets.")
			return
		}
		id, err := authenticate(r)
		asked := time.Now()
		var ticket string
		var expiresAt time.Time
		if err == nil {
			ticket, expiresAt, err = t.Mint(r.Context(), id)
			if err != nil && !errors.Is(err, ErrUnauthenticated) {
				err = errors.Join(ErrUnavailable, err)
			}
		}
		switch {
		case errors.Is(err, ErrUnavailable):
			w.Header().Set("Retry-After", "1")
			refuseTicket(w, http.StatusServiceUnavailable, "unavailable", "Tickets are unavailable at present.")
		case err != nil:
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuseTicket(w, http.StatusUnauthorized, "unauthenticated", "Sign in first.")
		default:
			// Rounded down, so that a client does not wait too long, and up from nothing.
			seconds := max(1, int(expiresAt.Sub(asked)/time.Second))
			answerTicket(w, http.StatusOK, struct {
				Ticket    string `json:"ticket"`
				ExpiresIn int    `json:"expires_in"`
			}{ticket, seconds})
		}
	})
}

func refuseTicket(w http.ResponseWriter, status int, code, message string) {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	answerTicket(w, status, struct {
		Error fault `json:"error"`
	}{fault{code, message}})
}

func answerTicket(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone if this fails
}
