package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const passed = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter of TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.010s\n"}
{"Action":"pass","Package":"p","Elapsed":0.01}
`

// skipped is a package in which one subtest skips and its parent passes.
const skipped = `{"Action":"start","Package":"q"}
{"Action":"run","Package":"q","Test":"TestB"}
{"Action":"run","Package":"q","Test":"TestB/redis"}
{"Action":"output","Package":"q","Test":"TestB/redis","Output":"=== RUN   TestB/redis\n"}
{"Action":"output","Package":"q","Test":"TestB/redis","Output":"    b_test.go:7: redis-server not found\n"}
{"Action":"output","Package":"q","Test":"TestB/redis","Output":"    --- SKIP: TestB/redis (0.00s)\n"}
{"Action":"skip","Package":"q","Test":"TestB/redis","Elapsed":0}
{"Action":"pass","Package":"q","Test":"TestB","Elapsed":0}
{"Action":"output","Package":"q","Output":"ok  \tq\t0.010s\n"}
{"Action":"pass","Package":"q","Elapsed":0.01}
`

const failed = `{"Action":"start","Package":"f"}
{"Action":"output","Package":"f","Test":"TestGood","Output":"chatter of TestGood\n"}
{"Action":"pass","Package":"f","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"f","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"f","Test":"TestBad","Output":"    f_test.go:9: got 1, want 2\n"}
{"Action":"output","Package":"f","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"f","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"f","Output":"FAIL\tf\t0.010s\n"}
{"Action":"fail","Package":"f","Elapsed":0.01}
`

func TestRun(t *testing.T) {
	tests := []struct {
		name    string
		in      string
		allow   string
		wantOut string
		wantErr string // empty: none
	}{
		{
			name:    "passes",
			in:      passed,
			wantOut: "ok  \tp\t0.010s\n",
		},
		{
			name:    "what is no event passes through",
			in:      "==> .\n" + passed + "{not json}\nlast line",
			wantOut: "==> .\nok  \tp\t0.010s\n{not json}\nlast line\n",
		},
		{
			name: "a package without tests is no skip",
			in: passed + `{"Action":"output","Package":"n","Output":"?   \tn\t[no test files]\n"}` + "\n" +
				`{"Action":"skip","Package":"n"}` + "\n",
			wantOut: "ok  \tp\t0.010s\n?   \tn\t[no test files]\n",
		},
		{
			name:    "skip",
			in:      skipped,
			wantOut: "ok  \tq\t0.010s\n",
			wantErr: "skipped, not allowed: q TestB/redis: b_test.go:7: redis-server not found",
		},
		{
			name: "skip made up for by a later run",
			in: skipped + `{"Action":"pass","Package":"q","Test":"TestB/redis","Elapsed":0}` + "\n" +
				`{"Action":"output","Package":"q","Output":"ok  \tq\t0.020s\n"}` + "\n" +
				`{"Action":"pass","Package":"q","Elapsed":0.02}` + "\n",
			wantOut: "ok  \tq\t0.010s\nok  \tq\t0.020s\n",
		},
		{
			name:    "skip not made up for by a namesake elsewhere",
			in:      skipped + strings.ReplaceAll(passed, `"TestA"`, `"TestB/redis"`),
			wantOut: "ok  \tq\t0.010s\nok  \tp\t0.010s\n",
			wantErr: "skipped, not allowed: q TestB/redis: b_test.go:7: redis-server not found",
		},
		{
			name:    "skip allowed by name",
			in:      skipped,
			allow:   "# why\nq TestB/redis # because\n",
			wantOut: "skip, allowed: q TestB/redis: b_test.go:7: redis-server not found\nok  \tq\t0.010s\n",
		},
		{
			name:    "skip allowed by its parent",
			in:      skipped,
			allow:   "q TestB\n",
			wantOut: "skip, allowed: q TestB/redis: b_test.go:7: redis-server not found\nok  \tq\t0.010s\n",
		},
		{
			name:    "another test's name allows nothing",
			in:      skipped,
			allow:   "q TestBB\nq TestB/redi\np TestB/redis\n",
			wantOut: "ok  \tq\t0.010s\n",
			wantErr: "skipped, not allowed: q TestB/redis: b_test.go:7: redis-server not found",
		},
		{
			name:    "failure shows the bad test alone",
			in:      failed,
			wantOut: "    f_test.go:9: got 1, want 2\n--- FAIL: TestBad (0.00s)\nFAIL\tf\t0.010s\n",
			wantErr: "failed: f",
		},
		{
			name: "build failure",
			in: passed + `{"ImportPath":"g","Action":"build-output","Output":"g.go:3:1: syntax error\n"}` + "\n" +
				`{"ImportPath":"g","Action":"build-fail"}` + "\n" +
				`{"Action":"output","Package":"g","Output":"FAIL\tg [build failed]\n"}` + "\n" +
				`{"Action":"fail","Package":"g"}` + "\n",
			wantOut: "ok  \tp\t0.010s\ng.go:3:1: syntax error\nFAIL\tg [build failed]\n",
			wantErr: "failed: g (build), g",
		},
		{
			name:    "a stream cut short is a failure",
			in:      passed + strings.Join(strings.SplitAfter(failed, "\n")[:5], ""),
			wantOut: "ok  \tp\t0.010s\n    f_test.go:9: got 1, want 2\n",
			wantErr: "failed: f",
		},
		{
			name:    "nothing ran",
			in:      "make: nothing to be done\n",
			wantOut: "make: nothing to be done\n",
			wantErr: "no test ran",
		},
		{
			name:    "malformed allow-list",
			in:      passed,
			allow:   "\njust-one-word\n",
			wantErr: `line 2: want an import path and a test name, got "just-one-word"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var allow string
			if tt.allow != "" {
				allow = filepath.Join(t.TempDir(), "allow")
				if err := os.WriteFile(allow, []byte(tt.allow), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			err := run(strings.NewReader(tt.in), &out, allow)
			if out.String() != tt.wantOut {
				t.Errorf("output:\n got %q\nwant %q", out.String(), tt.wantOut)
			}
			switch {
			case tt.wantErr == "" && err != nil:
				t.Errorf("unexpected error: %v", err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Errorf("error %v, want one with %q", err, tt.wantErr)
			}
		})
	}
}

func TestAllowFileMissing(t *testing.T) {
	if err := run(strings.NewReader(passed), new(strings.Builder), filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Fatal("a missing allow-list is no error")
	}
}
