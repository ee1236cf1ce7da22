package keypad

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSheet(t *testing.T) {
	dir := os.Getenv("POSD_SHOTS")
	if dir == "" {
		return
	}
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	for _, size := range []image.Point{{480, 320}, {320, 240}} {
		c := newCanvas(size)
		for _, l := range []Lang{ZH, EN} {
			g := gallery(now)
			per := 9
			for s := 0; s*per < len(g); s++ {
				sheet := image.NewRGBA(image.Rect(0, 0, 3*(size.X+6), 3*(size.Y+6)))
				draw.Draw(sheet, sheet.Rect, image.NewUniform(color.Gray{40}), image.Point{}, draw.Src)
				for i := 0; i < per && s*per+i < len(g); i++ {
					st := Status{Link: []Link{LinkUp, LinkDown, LinkBusy, LinkUnknown}[i%4], Operator: "01", Owed: i % 3, Paper: i%5 == 3, Training: i%4 == 2}
					c.render(g[s*per+i], st, l, now)
					draw.Draw(sheet, c.img.Rect.Add(image.Pt(i%3*(size.X+6), i/3*(size.Y+6))), c.img, image.Point{}, draw.Src)
				}
				f, _ := os.Create(filepath.Join(dir, "sheet-"+string(l)+"-"+size.String()+"-"+string(rune('0'+s))+".png"))
				_ = png.Encode(f, sheet)
				f.Close()
			}
		}
	}
}
