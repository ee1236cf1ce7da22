package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"posd/sim"
	"posd/sim/panel"
	"posd/sim/world"
)

const doUsage = `usage: possim do [-dir DIR] [-json] ACTION ARGS...

Acts on the terminal that possim run started last, on the one whose run directory is given, or on the one at POSSIM_URL.
Besides the actions below:
  lcd FILE.png             save the picture on the display
  paper FILE.png           save the paper as a picture
  receipt N FILE.png       save the n-th receipt that was torn off

`

func do(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("possim do", flag.ContinueOnError)
	fs.SetOutput(stderr)
	dir := fs.String("dir", "", "run `directory` of the terminal to act on")
	raw := fs.Bool("json", false, "print results as JSON")
	fs.Usage = func() {
		fmt.Fprint(stderr, doUsage)
		writeActions(stderr, world.Actions)
	}
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		fs.Usage()
		return exitUsage
	}
	base, err := findInstance(*dir)
	if err == nil {
		err = act(base, fs.Args(), *raw, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "possim:", err)
		return exitFailed
	}
	return exitOK
}

// client has no time limit of its own: a wait lasts as long as it was asked to.
var client = &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}

func act(base string, args []string, raw bool, stdout io.Writer) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || !strings.HasSuffix(u.Path, "/") {
		return errors.New("the address of the terminal must look like http://127.0.0.1:PORT/TOKEN/")
	}
	switch {
	case args[0] == "lcd" && len(args) == 2:
		return save(base+"lcd.png", args[1])
	case args[0] == "paper" && len(args) == 2:
		return save(base+"paper.png", args[1])
	case args[0] == "receipt" && len(args) == 3:
		return save(base+"receipts/"+url.PathEscape(args[1])+".png", args[2])
	case args[0] == "help" && len(args) == 1 && !raw:
		fmt.Fprint(stdout, doUsage)
		writeActions(stdout, world.Actions)
		return nil
	}
	body, err := json.Marshal(panel.Request{Action: args[0], Args: args[1:]})
	if err != nil {
		return err
	}
	b, err := fetch(http.NewRequest("POST", base+"do", bytes.NewReader(body)))
	if err != nil {
		return err
	}
	var a struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return show(stdout, args[0], a.Result, raw)
}

// fetch sends a request and returns the body of a good answer; the error of a bad one is what it says.
func fetch(r *http.Request, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the terminal does not answer; does possim run still run? (%w)", errors.Unwrap(err))
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		var a panel.Answer
		if json.Unmarshal(b, &a) == nil && a.Error != "" {
			return nil, errors.New(a.Error)
		}
		return nil, fmt.Errorf("the terminal answers %s", res.Status)
	}
	return b, nil
}

func save(from, file string) error {
	b, err := fetch(http.NewRequest("GET", from, nil))
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// show prints a result for people: a text as it is, events as lines, the rest as JSON.
func show(out io.Writer, action string, result json.RawMessage, raw bool) error {
	if len(result) == 0 || string(result) == "null" {
		return nil
	}
	if !raw {
		var text string
		if json.Unmarshal(result, &text) == nil {
			if text != "" && !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			_, err := io.WriteString(out, text)
			return err
		}
		if action == "trace" {
			var events []sim.Event
			if err := json.Unmarshal(result, &events); err != nil {
				return err
			}
			for _, e := range events {
				fmt.Fprintf(out, "%6d %s %-8s %1s %s\n", e.Seq, e.Time.Format(time.TimeOnly+".000"), e.Source, e.Dir, e.Summary)
			}
			return nil
		}
		if action == "wait" {
			return nil // it happened: that is all
		}
		var lines []json.RawMessage
		if action == "journal" && json.Unmarshal(result, &lines) == nil {
			for _, l := range lines {
				var b bytes.Buffer
				if err := json.Compact(&b, l); err != nil {
					return err
				}
				fmt.Fprintln(out, b.String())
			}
			return nil
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, result, "", "  "); err != nil {
		return err
	}
	fmt.Fprintln(out, b.String())
	return nil
}

func writeActions(out io.Writer, actions []world.Action) {
	for _, a := range actions {
		fmt.Fprintf(out, "  %-48s %s\n", a.Name+" "+a.Usage, a.About.EN)
	}
}
