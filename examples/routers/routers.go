package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v5"
	echomiddleware "github.com/labstack/echo/v5/middleware"
)

// routers mount a handler at /ws, each behind the middleware that its users
// usually have. All of it wraps the ResponseWriter, and all of it unwraps.
func routers() map[string]func(ws http.Handler) http.Handler {
	return map[string]func(http.Handler) http.Handler{
		"net/http": func(ws http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("GET /ws", ws)
			return mux
		},
		"chi": func(ws http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Use(chimiddleware.Logger, chimiddleware.Recoverer)
			r.Method(http.MethodGet, "/ws", ws)
			return r
		},
		"gin": func(ws http.Handler) http.Handler {
			gin.SetMode(gin.ReleaseMode)
			r := gin.New()
			r.Use(gin.Logger(), gin.Recovery())
			r.GET("/ws", gin.WrapH(ws))
			return r
		},
		"echo": func(ws http.Handler) http.Handler {
			e := echo.New()
			e.Use(echomiddleware.RequestLogger(), echomiddleware.Recover())
			e.GET("/ws", echo.WrapHandler(ws))
			return e
		},
	}
}
