package mail

import (
	"fmt"
	"net/http"
	"strings"
)

// Send posts a text to the provider.
func Send(text string) error {
	response, err := http.Post("http://api.mailer-example.com/v3/send", "text/plain", strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return response.Body.Close()
}
