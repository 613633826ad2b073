"""Makes the example session of `nanoferry demo`: generated pictures in genuine vendor tag layouts."""
