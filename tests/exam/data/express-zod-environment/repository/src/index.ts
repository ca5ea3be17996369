import express from 'express';
import { env } from './env.js';

const app = express();
app.get('/health', (_req, res) => res.send('ok'));
app.listen(env.PORT);
