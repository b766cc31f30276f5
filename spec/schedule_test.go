package spec

import (
	"strings"
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	for name, c := range map[string]struct {
		schedule Schedule
		want     string
	}{
		"five fields":   {Schedule{CronExpression: "0 3 * * 1-5", Timezone: "Europe/Berlin", Concurrency: "replace"}, ""},
		"a macro":       {Schedule{CronExpression: "@daily"}, ""},
		"nothing":       {Schedule{}, "cron_expression is missing"},
		"seconds":       {Schedule{CronExpression: "0 0 3 * * *"}, "6 fields"},
		"zone inside":   {Schedule{CronExpression: "@daily TZ=UTC"}, "set timezone"},
		"no time":       {Schedule{CronExpression: "@daily", StartTime: "tomorrow"}, `start_time is "tomorrow"`},
		"end first":     {Schedule{CronExpression: "@daily", StartTime: "2026-12-02T00:00:00Z", EndTime: "2026-12-01T00:00:00Z"}, "not after start_time"},
		"unknown words": {Schedule{CronExpression: "@daily", Concurrency: "queue"}, "forbid, allow and replace"},
	} {
		err := c.schedule.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	s := Schedule{StartTime: "2026-12-01T00:00:00Z", EndTime: "2026-12-02T00:00:00Z"}
	begin := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	if s.Due(begin.Add(-time.Second)) || !s.Due(begin) || s.Due(begin.Add(24*time.Hour)) || !(&Schedule{}).Due(begin) {
		t.Error("due outside of its bounds, or not within them")
	}
}
