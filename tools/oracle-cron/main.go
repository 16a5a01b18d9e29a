// Asks robfig/cron when schedules are due, daylight saving included. README.md says what its answers are for.
package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

//go:generate sh -c "go run . > ../../crates/windlass-go/tests/data/cron.jsonl"

type line struct {
	Schedule string   `json:"schedule"`
	Zone     string   `json:"zone"`
	After    string   `json:"after"`
	Next     []string `json:"next"`
	Error    string   `json:"error,omitempty"`
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	_ = out.Encode(map[string]string{"version": "github.com/robfig/cron/v3 v3.0.1"})
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	good := []string{
		"* * * * *", "*/5 * * * *", "0 * * * *", "30 2 * * *", "30 1 * * *", "0 0 * * *", "15 0-6/2 * * *",
		"0 22 * * *", "0 9 * * 1-5", "0 9 * * MON-FRI", "0 9 1 * *", "0 9 1,15 * 5", "0 9 ? * 0", "0 9 ? * sun",
		"0 0 29 2 *", "0 0 31 * *", "0 0 30 2 *", "0 12 13 * 5", "5,10,50-59/3 4 * jan,JUL *", "59 23 31 12 *",
		"0/15 * * * *", "10-20 3 * * *", "0 1-3 * * *", "0 0 1 */2 *", "0 0 */10 * 1", "*/7 */5 * * *",
		"TZ=Asia/Tokyo 0 9 * * *", "CRON_TZ=America/New_York 30 2 * * *", "0 0 * * */2", "20/20 23 * * 6",
	}
	// Pacific/Apia, which left out December 30, 2011, makes robfig/cron search for ever.
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Casablanca"}
	afters := []string{
		"2026-01-01T00:00:00Z", "2026-03-08T05:59:30Z", "2026-03-28T23:30:00Z", "2026-03-29T00:59:59Z", "2026-10-24T22:10:00Z",
		"2026-10-25T00:30:00Z", "2026-11-01T04:45:00Z", "2026-04-04T14:40:00Z", "2026-10-03T15:10:00Z", "2011-12-29T12:00:00Z", "2027-02-28T23:59:59Z", "2018-11-03T12:00:00Z",
	}
	for _, schedule := range good {
		for _, name := range zones {
			zone, err := time.LoadLocation(name)
			if err != nil {
				panic(err)
			}
			for _, after := range afters {
				parsed, err := parser.Parse(schedule)
				if err != nil {
					panic(schedule + ": " + err.Error())
				}
				at, err := time.Parse(time.RFC3339, after)
				if err != nil {
					panic(err)
				}
				at = at.In(zone)
				next := []string{}
				for range 3 {
					at = parsed.Next(at)
					if at.IsZero() {
						break
					}
					next = append(next, at.UTC().Format(time.RFC3339))
				}
				_ = out.Encode(line{schedule, name, after, next, ""})
			}
		}
	}
	// A zone without fields, "TZ=UTC", makes it panic.
	bad := []string{
		"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 * ", "* * * 0 *", "* * * * 7", "* * * * 8",
		"a * * * *", "5-1 * * * *", "*/0 * * * *", "*/-1 * * * *", "1-2-3 * * * *", "1/2/3 * * * *", ", * * * *", "1, * * * *", "-1 * * * *", "+1 * * * *", "@daily", "@every 1h",
		"TZ=Nowhere/Land 0 0 * * *", "? ? ? ? ?", "*-5 * * * *", "1-* * * * *", "mon * * * *", "* * * jan-mar *", "* * * * sun-sat", "* * * * sat-sun", "0 0 L * *", "*/100 * * * *", "00 007 * * *",
	}
	for _, schedule := range bad {
		parsed, err := parser.Parse(schedule)
		if err != nil {
			_ = out.Encode(line{schedule, "UTC", "2026-01-01T00:00:00Z", []string{}, err.Error()})
			continue
		}
		at, _ := time.Parse(time.RFC3339, "2026-01-01T00:00:00Z")
		next := []string{}
		for range 3 {
			at = parsed.Next(at)
			if at.IsZero() {
				break
			}
			next = append(next, at.UTC().Format(time.RFC3339))
		}
		_ = out.Encode(line{schedule, "UTC", "2026-01-01T00:00:00Z", next, ""})
	}
}
