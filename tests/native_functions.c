/* Gaussian peaks on a constant as users of leastsq.native would write them, for its tests and benchmarks. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* One data set at a time; stops with the code in user_data, if any, where the amplitude exceeds 1000. */
int peak(int64_t m, int64_t n, const double *restrict x, const double *p, double *restrict out, double *restrict jac,
         void *user_data)
{
    const double amplitude = p[0], center = p[1], inverse = 1 / p[2], offset = p[3];

    if (amplitude > 1000) {
        return user_data == NULL ? 7 : *(int *)user_data;
    }
    for (int64_t i = 0; i < m; i++) {
        const double z = (x[i] - center) * inverse;
        out[i] = exp(-0.5 * z * z);
    }
    if (jac != NULL) {
        for (int64_t i = 0; i < m; i++) {
            const double z = (x[i] - center) * inverse, slope = amplitude * out[i] * z * inverse;
            jac[i * n] = out[i];
            jac[i * n + 1] = slope;
            jac[i * n + 2] = slope * z;
            jac[i * n + 3] = 1;
        }
    }
    for (int64_t i = 0; i < m; i++) {
        out[i] = amplitude * out[i] + offset;
    }
    return 0;
}

/* A group of WIDTH fits in lockstep. */
#ifndef WIDTH
#define WIDTH 8
#endif
int peaks(int64_t width, int64_t rows, int64_t stride, int64_t n, const double *restrict x, const double *restrict p,
          double *restrict out, double *restrict jac, void *user_data)
{
    int stopped = 0;
    double inverse[WIDTH];

    if (width != WIDTH || n != 4 || user_data != NULL) {
        return -1;
    }
    for (int l = 0; l < WIDTH; l++) {
        inverse[l] = 1 / p[2 * WIDTH + l];
        stopped |= (p[l] > 1000) << l;
    }
    for (int64_t i = 0; i < rows; i++) {
        for (int l = 0; l < WIDTH; l++) {
            const int64_t k = i * WIDTH + l;
            const double z = (x[k] - p[WIDTH + l]) * inverse[l], e = exp(-0.5 * z * z);
            out[k] = p[l] * e + p[3 * WIDTH + l];
            if (jac != NULL) {
                jac[k] = e;
                jac[stride + k] = p[l] * e * z * inverse[l];
                jac[2 * stride + k] = p[l] * e * z * z * inverse[l];
                jac[3 * stride + k] = 1;
            }
        }
    }
    return stopped;
}

/* The residuals of a decay, the observations being the second predictor. Where the rate exceeds the number in
   user_data, if any, the derivatives stop the fit with code 9, and the values do not. */
int decay_residuals(int64_t m, int64_t n, const double *x, const double *p, double *out, double *jac, void *user_data)
{
    for (int64_t i = 0; i < m; i++) {
        const double e = exp(-p[1] * x[i]);
        out[i] = p[0] * e - x[m + i];
        if (jac != NULL) {
            jac[i * n] = e;
            jac[i * n + 1] = -p[0] * x[i] * e;
        }
    }
    return jac != NULL && user_data != NULL && p[1] > *(double *)user_data ? 9 : 0;
}

/* Lines of a group. Predictors below 1 are counted in user_data. */
int lines(int64_t width, int64_t rows, int64_t stride, int64_t n, const double *x, const double *p, double *out,
          double *jac, void *user_data)
{
    for (int64_t k = 0; k < rows * width; k++) {
        out[k] = p[k % width] + p[width + k % width] * x[k];
        *(int64_t *)user_data += x[k] < 1;
    }
    return 0;
}
