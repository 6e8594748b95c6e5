! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Householder QR factorisation with column pivoting, and the application of Qᵀ to a vector.
module pivoted_qr
    use kinds, only: wp, eps
    use norms, only: enorm
    implicit none
    private
    public :: qrfac, apply_transposed_q, factor_rows

contains

    !> Factor A P = Q R in place, with column pivoting.
    !>
    !> Step j brings the remaining column of largest norm to position j (the first one on ties), turns it
    !> into the Householder vector v, scaled so that the reflection is I - v vᵀ/v_j, and applies that to
    !> the columns to its right. The norms of what remains are updated, not recomputed, until rounding
    !> could have eaten them. A zero column gives a zero on R's diagonal and no reflection.
    !>
    !> On return the strict upper triangle of `a` holds R without its diagonal (which is in `rdiag`) and
    !> the lower trapezoid, diagonal included, the vectors v.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), QRFAC; P. Businger, G. H. Golub, Linear least
    !> squares solutions by Householder transformations, Numer. Math. 7 (1965). Identical to MINPACK-1.
    pure subroutine qrfac(m, n, a, lda, ipvt, rdiag, acnorm, reference_norm)
        integer, intent(in) :: m                        !! rows, m >= n
        integer, intent(in) :: n                        !! columns, n >= 1
        integer, intent(in) :: lda                      !! leading dimension of a, lda >= m
        real(wp), intent(inout) :: a(lda, n)            !! in: A; out: R and the Householder vectors
        integer, intent(out) :: ipvt(n)                 !! column j of A P is column ipvt(j) of A
        real(wp), intent(out) :: rdiag(n)               !! diagonal of R
        real(wp), intent(out) :: acnorm(n)              !! norms of the columns of A
        real(wp), intent(out) :: reference_norm(n)      !! work: remaining norms when last computed afresh

        real(wp) :: norm, projection
        integer :: j, k, pivot

        do j = 1, n
            acnorm(j) = enorm(m, a(1, j))
            rdiag(j) = acnorm(j)
            reference_norm(j) = acnorm(j)
            ipvt(j) = j
        end do

        do j = 1, n
            pivot = j
            do k = j + 1, n
                if (rdiag(k) > rdiag(pivot)) pivot = k
            end do
            if (pivot /= j) then
                call swap_columns(m, a(1, j), a(1, pivot))
                rdiag(pivot) = rdiag(j)
                reference_norm(pivot) = reference_norm(j)
                k = ipvt(j)
                ipvt(j) = ipvt(pivot)
                ipvt(pivot) = k
            end if

            norm = enorm(m - j + 1, a(j, j))
            if (norm == 0.0_wp) then
                rdiag(j) = 0.0_wp
                cycle
            end if
            if (a(j, j) < 0.0_wp) norm = -norm
            a(j:m, j) = a(j:m, j)/norm
            a(j, j) = a(j, j) + 1.0_wp

            do k = j + 1, n
                projection = dot(m - j + 1, a(j, j), a(j, k))/a(j, j)
                call subtract_multiple(m - j + 1, projection, a(j, j), a(j, k))
                if (rdiag(k) == 0.0_wp) cycle
                rdiag(k) = rdiag(k)*sqrt(max(0.0_wp, 1.0_wp - (a(j, k)/rdiag(k))**2))
                if (0.05_wp*(rdiag(k)/reference_norm(k))**2 <= eps) then
                    rdiag(k) = enorm(m - j, a(min(j + 1, m), k))
                    reference_norm(k) = rdiag(k)
                end if
            end do
            rdiag(j) = -norm
        end do
    end subroutine qrfac

    !> Overwrite b with Qᵀ b for the factorisation left by `qrfac`.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), within LMDER and LMDIF.
    pure subroutine apply_transposed_q(m, n, a, lda, b)
        integer, intent(in) :: m                        !! rows, m >= n
        integer, intent(in) :: n                        !! reflections
        integer, intent(in) :: lda                      !! leading dimension of a
        real(wp), intent(in) :: a(lda, n)               !! as left by qrfac
        real(wp), intent(inout) :: b(m)                 !! in: vector; out: Qᵀ times it

        real(wp) :: projection
        integer :: j

        do j = 1, n
            if (a(j, j) == 0.0_wp) cycle
            projection = dot(m - j + 1, a(j, j), b(j))/a(j, j)
            call subtract_multiple(m - j + 1, projection, a(j, j), b(j))
        end do
    end subroutine apply_transposed_q

    !> Reduce [A b] to the pivoted triangle, A P = Q R, and Qᵀ b; R also replaces A's upper triangle.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), within LMDER and LMDIF.
    pure subroutine factor_rows(m, n, a, b, r, ipvt, acnorm, rdiag, wa)
        integer, intent(in) :: m                        !! rows, m >= n
        integer, intent(in) :: n                        !! columns, n >= 1
        real(wp), intent(inout) :: a(m, n)              !! in: A; out: R above the Householder vectors
        real(wp), intent(inout) :: b(m)                 !! in: b; out: Qᵀ b
        real(wp), intent(out) :: r(n, n)                !! upper triangle R, nothing below it is set
        integer, intent(out) :: ipvt(n)                 !! the permutation P
        real(wp), intent(out) :: acnorm(n)              !! norms of the columns of A
        real(wp), intent(out) :: rdiag(n), wa(n)        !! work

        integer :: j

        call qrfac(m, n, a, m, ipvt, rdiag, acnorm, wa)
        call apply_transposed_q(m, n, a, m, b)
        do j = 1, n
            a(j, j) = rdiag(j)
            r(1:j, j) = a(1:j, j)
        end do
    end subroutine factor_rows

    !> Inner product, summed in the plain order.
    pure function dot(n, x, y) result(total)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n), y(n)
        real(wp) :: total

        integer :: i

        total = 0.0_wp
        do i = 1, n
            total = total + x(i)*y(i)
        end do
    end function dot

    !> y := y - factor x.
    pure subroutine subtract_multiple(n, factor, x, y)
        integer, intent(in) :: n
        real(wp), intent(in) :: factor
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: y(n)

        integer :: i

        do i = 1, n
            y(i) = y(i) - factor*x(i)
        end do
    end subroutine subtract_multiple

    pure subroutine swap_columns(n, x, y)
        integer, intent(in) :: n
        real(wp), intent(inout) :: x(n), y(n)

        real(wp) :: held
        integer :: i

        do i = 1, n
            held = x(i)
            x(i) = y(i)
            y(i) = held
        end do
    end subroutine swap_columns

end module pivoted_qr
