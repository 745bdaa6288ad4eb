// Command peer answers the hot paths of the entries API with net/http, pgx and golang-jwt: what the service is measured
// against. The same statements, the same check of token and owner, the same JSON; no other route, no filters, no log.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const columns = `id, text, mood, category, tags, occurred_at, created_at, updated_at, version`

const revision = `coalesce((SELECT revision FROM journals WHERE user_id = $1), 0)`

const listSQL = `SELECT ` + columns + `, ` + revision + ` FROM entries WHERE user_id = $1 AND deleted_at IS NULL
	ORDER BY occurred_at DESC, id DESC LIMIT $2`

const countSQL = `SELECT count(*) FROM entries WHERE user_id = $1 AND deleted_at IS NULL`

const findSQL = `SELECT ` + columns + ` FROM entries WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL`

const insertSQL = `WITH changed AS (
	INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now())) RETURNING *),
	bumped AS (INSERT INTO journals AS journal (user_id, revision)
	SELECT user_id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM changed
	ON CONFLICT (user_id) DO UPDATE SET revision = greatest(journal.revision + 1, excluded.revision))
	SELECT ` + columns + ` FROM changed`

type timestamp time.Time

func (t timestamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

type entry struct {
	ID         uuid.UUID `json:"id"`
	Text       string    `json:"text"`
	Mood       int16     `json:"mood"`
	Category   string    `json:"category"`
	Tags       []string  `json:"tags"`
	OccurredAt timestamp `json:"occurredAt"`
	CreatedAt  timestamp `json:"createdAt"`
	UpdatedAt  timestamp `json:"updatedAt"`
	Version    int32     `json:"version"`
}

func (e *entry) fields() []any {
	return []any{&e.ID, &e.Text, &e.Mood, &e.Category, &e.Tags, (*time.Time)(&e.OccurredAt),
		(*time.Time)(&e.CreatedAt), (*time.Time)(&e.UpdatedAt), &e.Version}
}

type claims struct {
	Session string `json:"sid"`
	jwt.RegisteredClaims
}

type total struct {
	revision int64
	count    int
}

type server struct {
	pool   *pgxpool.Pool
	secret []byte
	// By user: the total of the last revision.
	totals sync.Map
}

// authenticate returns the id of the user whom the access token names.
func (s *server) authenticate(r *http.Request) (uuid.UUID, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return uuid.Nil, errors.New("no token")
	}
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("entries"), jwt.WithAudience("entries"),
		jwt.WithExpirationRequired())
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(c.Subject)
}

func (s *server) list(w http.ResponseWriter, r *http.Request, user uuid.UUID) {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 100 {
		limit = 20
	}
	rows, err := s.pool.Query(r.Context(), listSQL, user, limit+1)
	if err != nil {
		fail(w, err)
		return
	}
	entries := make([]entry, 0, limit+1)
	var revision int64
	for rows.Next() {
		var e entry
		if err := rows.Scan(append(e.fields(), &revision)...); err != nil {
			rows.Close()
			fail(w, err)
			return
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		fail(w, err)
		return
	}
	count, err := s.total(r.Context(), user, revision)
	if err != nil {
		fail(w, err)
		return
	}
	var next *string
	if len(entries) > limit {
		entries = entries[:limit]
		last := entries[limit-1]
		position, _ := json.Marshal([]any{last.OccurredAt, last.ID})
		cursor := base64.RawURLEncoding.EncodeToString(position)
		next = &cursor
	}
	send(w, http.StatusOK, map[string]any{"entries": entries, "total": count, "limit": limit, "nextCursor": next})
}

func (s *server) total(ctx context.Context, user uuid.UUID, revision int64) (int, error) {
	if known, ok := s.totals.Load(user); ok && known.(total).revision == revision {
		return known.(total).count, nil
	}
	var count int
	if err := s.pool.QueryRow(ctx, countSQL, user).Scan(&count); err != nil {
		return 0, err
	}
	s.totals.Store(user, total{revision, count})
	return count, nil
}

func (s *server) read(w http.ResponseWriter, r *http.Request, user uuid.UUID) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		http.Error(w, "not a UUID", http.StatusBadRequest)
		return
	}
	var e entry
	switch err := s.pool.QueryRow(r.Context(), findSQL, id, user).Scan(e.fields()...); {
	case errors.Is(err, pgx.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		fail(w, err)
	default:
		w.Header().Set("ETag", `"`+strconv.Itoa(int(e.Version))+`"`)
		send(w, http.StatusOK, e)
	}
}

type newEntry struct {
	Text       string     `json:"text"`
	Mood       int16      `json:"mood"`
	Category   string     `json:"category"`
	Tags       []string   `json:"tags"`
	OccurredAt *time.Time `json:"occurredAt"`
}

func (s *server) create(w http.ResponseWriter, r *http.Request, user uuid.UUID) {
	body := newEntry{Category: "general", Tags: []string{}}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if body.Text == "" || len(body.Text) > 40_000 || body.Mood < 1 || body.Mood > 10 || len(body.Tags) > 20 {
		http.Error(w, "invalid entry", http.StatusUnprocessableEntity)
		return
	}
	for i, tag := range body.Tags {
		body.Tags[i] = strings.ToLower(strings.TrimSpace(tag))
	}
	sort.Strings(body.Tags)
	id, err := uuid.NewV7()
	if err != nil {
		fail(w, err)
		return
	}
	var e entry
	err = s.pool.QueryRow(r.Context(), insertSQL, id, user, body.Text, strings.ToLower(body.Text), body.Mood,
		strings.ToLower(strings.TrimSpace(body.Category)), body.Tags, body.OccurredAt).Scan(e.fields()...)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("ETag", `"`+strconv.Itoa(int(e.Version))+`"`)
	w.Header().Set("Location", "/entries/"+e.ID.String())
	send(w, http.StatusCreated, e)
}

func (s *server) health(w http.ResponseWriter, r *http.Request) {
	var pending int
	err := s.pool.QueryRow(r.Context(), `SELECT count(*) FROM unnest($1::text[]) AS known (name)
		WHERE NOT EXISTS (SELECT FROM migrations m WHERE m.name = known.name)`, []string{}).Scan(&pending)
	if err != nil {
		fail(w, err)
		return
	}
	up := map[string]any{"database": map[string]string{"status": "up"}, "migrations": map[string]any{"status": "up", "pending": pending}}
	send(w, http.StatusOK, map[string]any{"status": "ok", "info": up, "error": map[string]any{}, "details": up})
}

func send(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func fail(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, "internal error", http.StatusInternalServerError)
}

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	size, _ := strconv.Atoi(os.Getenv("DB_POOL_SIZE"))
	config.MaxConns = int32(max(size, 1))
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{pool: pool, secret: []byte(os.Getenv("JWT_SECRET"))}
	authenticated := func(handle func(http.ResponseWriter, *http.Request, uuid.UUID)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			user, err := s.authenticate(r)
			if err != nil {
				http.Error(w, "unauthorized", http.StatusUnauthorized)
				return
			}
			handle(w, r, user)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /entries", authenticated(s.list))
	mux.HandleFunc("POST /entries", authenticated(s.create))
	mux.HandleFunc("GET /entries/{id}", authenticated(s.read))
	log.Fatal(http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), mux))
}
