! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Householder QR factorisation with column pivoting.
module pivoted_qr
    use kinds, only: wp, eps
    use norms, only: enorm, column_norms
    implicit none (type, external)
    private
    public :: qrfac, factor_rows

contains

    !> Factor A P = Q R in place, with column pivoting, and apply Qᵀ to further columns b.
    !>
    !> Step j brings the remaining column of largest norm to position j (the first one on ties), turns it
    !> into the Householder vector v, scaled so that the reflection is I - v vᵀ/v_j, and applies that to
    !> the columns to its right. The norms of what remains are updated, not recomputed, until rounding
    !> could have eaten them. A zero column gives a zero on R's diagonal and no reflection.
    !>
    !> On return the upper triangle of A holds R and what is below it the rest of the vectors v.
    !>
    !> Reference: Moré, Garbow, Hillstrom, ANL-80-74 (1980), QRFAC; P. Businger, G. H. Golub, Linear least
    !> squares solutions by Householder transformations, Numer. Math. 7 (1965). Identical to MINPACK-1, which
    !> applies Qᵀ afterwards.
    pure subroutine qrfac(m, n, extra, a, ipvt, acnorm, norms, reference_norms)
        integer, intent(in) :: m                        !! rows, m >= n
        integer, intent(in) :: n                        !! columns of A, n >= 1
        integer, intent(in) :: extra                    !! columns of b, extra >= 0
        real(wp), intent(inout) :: a(m, n + extra)      !! in: [A b]; out: R and Householder vectors, Qᵀ b
        integer, intent(out) :: ipvt(n)                 !! column j of A P is column ipvt(j) of A
        real(wp), intent(out) :: acnorm(n)              !! norms of the columns of A
        real(wp), intent(out) :: norms(n)               !! work: norms of what remains of each column
        real(wp), intent(out) :: reference_norms(n)     !! work: the same when last computed afresh

        real(wp) :: norm
        integer :: j, k, pivot

        call column_norms(m, n, a, acnorm)
        do j = 1, n
            norms(j) = acnorm(j)
            reference_norms(j) = acnorm(j)
            ipvt(j) = j
        end do

        do j = 1, n
            pivot = j
            do k = j + 1, n
                if (norms(k) > norms(pivot)) pivot = k
            end do
            if (pivot /= j) then
                call swap_columns(m, a(1, j), a(1, pivot))
                norms(pivot) = norms(j)
                reference_norms(pivot) = reference_norms(j)
                k = ipvt(j)
                ipvt(j) = ipvt(pivot)
                ipvt(pivot) = k
            end if

            if (j == 1) then
                norm = acnorm(ipvt(1))
            else
                norm = enorm(m - j + 1, a(j, j))
            end if
            if (norm == 0.0_wp) cycle
            if (a(j, j) < 0.0_wp) norm = -norm
            a(j:m, j) = a(j:m, j)/norm
            a(j, j) = a(j, j) + 1.0_wp
            if (j < n + extra) call reflect(m, n + extra - j, j, a(1, j), a(1, j + 1))
            a(j, j) = -norm

            do k = j + 1, n
                if (norms(k) == 0.0_wp) cycle
                norms(k) = norms(k)*sqrt(max(0.0_wp, 1.0_wp - (a(j, k)/norms(k))**2))
                if (0.05_wp*(norms(k)/reference_norms(k))**2 <= eps) then
                    norms(k) = enorm(m - j, a(j + 1, k))
                    reference_norms(k) = norms(k)
                end if
            end do
        end do
    end subroutine qrfac

    !> Reduce [A b] to the pivoted triangle, A P = Q R, and Qᵀ b.
    pure subroutine factor_rows(m, n, rows, r, qtb, ipvt, acnorm, wa1, wa2)
        integer, intent(in) :: m                        !! rows, m >= n
        integer, intent(in) :: n                        !! columns of A, n >= 1
        real(wp), intent(inout) :: rows(m, n + 1)       !! in: [A b]; out: R above the Householder vectors, Qᵀ b
        real(wp), intent(out) :: r(n, n)                !! upper triangle R, nothing below it is set
        real(wp), intent(out) :: qtb(n)                 !! first n entries of Qᵀ b
        integer, intent(out) :: ipvt(n)                 !! the permutation P
        real(wp), intent(out) :: acnorm(n)              !! norms of the columns of A
        real(wp), intent(out) :: wa1(n), wa2(n)         !! work

        integer :: i, j

        call qrfac(m, n, 1, rows, ipvt, acnorm, wa1, wa2)
        do j = 1, n
            do i = 1, j
                r(i, j) = rows(i, j)
            end do
            qtb(j) = rows(j, n + 1)
        end do
    end subroutine factor_rows

    !> Apply I - v vᵀ/v_j to rows j to m of some columns.
    !>
    !> An inner product in the plain order waits for one addition after the other, so those of up to four columns are
    !> under way at once.
    pure subroutine reflect(m, columns, j, v, a)
        integer, intent(in) :: m                        !! rows
        integer, intent(in) :: columns                  !! how many columns
        integer, intent(in) :: j                        !! first row of the reflection
        real(wp), intent(in) :: v(m)                    !! Householder vector, entries j to m
        real(wp), intent(inout) :: a(m, columns)        !! the columns

        real(wp) :: products(4)
        integer :: i, k, group, width

        k = 1
        do while (k <= columns)
            width = min(4, columns - k + 1)
            call inner_products(m, width, j, v, a(1, k), products)
            do group = 1, width
                do i = j, m
                    a(i, k) = a(i, k) - (products(group)/v(j))*v(i)
                end do
                k = k + 1
            end do
        end do
    end subroutine reflect

    !> Inner products of v with up to four columns, entries j to m, each in the plain order.
    pure subroutine inner_products(m, width, j, v, a, products)
        integer, intent(in) :: m
        integer, intent(in) :: width
        integer, intent(in) :: j
        real(wp), intent(in) :: v(m)
        real(wp), intent(in) :: a(m, width)
        real(wp), intent(out) :: products(4)

        real(wp) :: one, two, three, four
        integer :: i

        one = 0.0_wp
        two = 0.0_wp
        three = 0.0_wp
        four = 0.0_wp
        select case (width)
        case (1)
            do i = j, m
                one = one + v(i)*a(i, 1)
            end do
        case (2)
            do i = j, m
                one = one + v(i)*a(i, 1)
                two = two + v(i)*a(i, 2)
            end do
        case (3)
            do i = j, m
                one = one + v(i)*a(i, 1)
                two = two + v(i)*a(i, 2)
                three = three + v(i)*a(i, 3)
            end do
        case default
            do i = j, m
                one = one + v(i)*a(i, 1)
                two = two + v(i)*a(i, 2)
                three = three + v(i)*a(i, 3)
                four = four + v(i)*a(i, 4)
            end do
        end select
        products = [one, two, three, four]
    end subroutine inner_products

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
